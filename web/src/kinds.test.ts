import { expect, test } from "vitest";
import { heard, seen, sourceOf } from "./kinds.ts";
import { restingState } from "./protocol.ts";

function state() {
  const here = restingState();
  here.kinds.sources = [{ kind: "page", fields: [] }, { kind: "page_sound", fields: [], heard: true }];
  here.kinds.features = [{ kind: "motion", fields: [] }, { kind: "sound", fields: [], heard: true }];
  here.patch.sources = { ear: { kind: "page_sound" }, eye: { kind: "page" }, other: { kind: "page" } };
  here.patch.features = {
    stir: { kind: "motion", source: null },
    far: { kind: "motion", source: "other" },
    voice: { kind: "sound", source: null },
  };
  return here;
}

test("a feature without a choice has the first source of its kind", () => {
  expect([sourceOf(state(), "stir"), sourceOf(state(), "far"), sourceOf(state(), "voice")]).toEqual(["eye", "other", "ear"]);
});

test("what is heard is not seen", () => {
  expect(seen(state())).toEqual(["eye", "other"]);
  expect(heard(state(), "features", "voice")).toBe(true);
  expect(heard(state(), "features", "nobody")).toBe(false);
});
