import { expect, it } from "vitest";
import { plain } from "./names.ts";

it("makes of a file's name one that the library takes", () => {
  expect(plain("ada.jpg")).toBe("ada");
  expect(plain("Zoë am Meer (2).final.jpeg")).toBe("Zoë am Meer (2).final");
  expect(plain("_IMG: 12?.png")).toBe("IMG 12");
  expect(plain("???.png")).toBe("Mine");
  expect(plain(`${"a".repeat(200)}.png`)).toHaveLength(60);
});
