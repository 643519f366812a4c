import { expect, test } from "vitest";
import { nearest } from "./nearest.ts";

test("a typo finds the word meant, whatever the case and the hyphens", () => {
  const words = ["--rollout.turns", "--rollout.temperature", "--iterations"];
  expect(nearest("--rollout.trun", words)).toBe("--rollout.turns");
  expect(nearest("--Iteration", words)).toBe("--iterations");
  expect(nearest("maxTokens", ["max-tokens"])).toBe("max-tokens");
  expect(nearest("hte", ["the", "tea"])).toBe("the");
});

test("a word that resembles nothing finds nothing, and the first among equals wins", () => {
  expect(nearest("banana", ["train", "tasks"])).toBeUndefined();
  expect(nearest("x", [])).toBeUndefined();
  expect(nearest("bat", ["cat", "rat"])).toBe("cat");
});
