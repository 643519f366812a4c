import { describe, expect, it } from "vitest";
import { nearest } from "./nearest.ts";

describe("nearest", () => {
  it("finds the word that was most likely meant", () => {
    expect(nearest("humanevel", ["mubpp", "mbpp", "humaneval"])).toBe("humaneval");
    expect(nearest("MUBP", ["mbpp", "mubpp"])).toBe("mubpp");
  });

  it("takes the first of equally near words", () => {
    expect(nearest("bat", ["cat", "rat"])).toBe("cat");
  });

  it("suggests nothing where more than half of the letters differ", () => {
    expect(nearest("codecontests", ["mubpp", "mbpp"])).toBeUndefined();
    expect(nearest("anything", [])).toBeUndefined();
  });
});
