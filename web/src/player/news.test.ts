import { describe, expect, it } from "vitest";
import type { KeptLatent, PerformanceState, SittingState, Snapshot } from "../protocol.ts";
import { restingState } from "../protocol.ts";
import { news } from "./news.ts";

const look = (id: string, name = id): Snapshot => ({ id, name, thumbnail: "", safe: false });
const state = (snapshots: Snapshot[], recording: PerformanceState["recording"] = null) => {
  const { looks, performance, own, latents } = restingState();
  return { looks: { ...looks, snapshots }, performance: { ...performance, recording }, own, latents };
};
const latent = (name: string): KeptLatent => ({ name, place: name, words: "", parents: [], fits: true, exact: false, pictured: true });
const sitting = (number: number, stage: string) => {
  const own = { ...restingState().own, sitting: { picture: "me.jpg", number, stage } as SittingState };
  return { ...state([]), own };
};

describe("what the player is told of", () => {
  it("names a look that was kept, and its key", () => {
    expect(news(state([look("a")]), state([look("a"), look("b", "blue")]))).toEqual(["Kept as “blue”. The key 2 goes back to it."]);
  });

  it("promises no key to a tenth look", () => {
    const nine = Array.from({ length: 9 }, (_, i) => look(String(i)));
    expect(news(state(nine), state([...nine, look("x")]))[0]).toContain("Looks has a way");
  });

  it("is silent about a new name and a look that was forgotten", () => {
    expect(news(state([look("a"), look("b")]), state([look("a", "other")]))).toEqual([]);
  });

  it("says that a recording has ended, and where it is", () => {
    const on = { take: "take 1", video: false, seconds: 12 };
    expect(news(state([], on), state([], { ...on, seconds: 13 }))).toEqual([]);
    expect(news(state([], on), state([]))).toEqual(["Recorded “take 1”, 12 s. It plays again from Takes."]);
  });

  it("names a latent that was kept", () => {
    const [before, now] = [state([]), { ...state([]), latents: [latent("ada")] }];
    expect(news(before, now)).toEqual(["Kept as “ada”. Yours has a way back to it."]);
    expect(news(now, before)).toEqual([]);
  });

  it("says once that a picture was found", () => {
    expect(news(sitting(1, "rows"), sitting(1, "found"))).toEqual(["Found me.jpg. Yours can keep it."]);
    expect(news(sitting(1, "found"), sitting(1, "found"))).toEqual([]);
    expect(news(sitting(1, "found"), sitting(2, "search"))).toEqual([]);
    expect(news(sitting(1, "found"), sitting(2, "found"))).toHaveLength(1);
    expect(news(sitting(1, "rows"), sitting(1, "stopped"))).toEqual([]); // whoever stopped it knows
  });
});
