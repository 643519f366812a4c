import { describe, expect, it } from "vitest";
import type { ProposeRequest } from "../generator/generator.ts";
import { createScriptedGenerator } from "../generator/scripted-generator.ts";
import { rememberProposals } from "./remember-proposals.ts";

const ask = (seeds: readonly number[], content = "a"): ProposeRequest => ({
  conversation: [{ role: "user", content }],
  seeds,
  temperature: 0.7,
  maxTokens: 8,
});

describe("a generator that remembers its samples", () => {
  it("is asked only for samples that nobody has asked for, whoever asks first", async () => {
    const asked: (readonly number[])[] = [];
    const generator = rememberProposals(
      createScriptedGenerator(({ seeds }, index) => {
        if (index === 0) asked.push(seeds);
        return `sample ${seeds[index]}`;
      }),
    );
    const [five, eleven, other] = await Promise.all([
      generator.propose(ask([1, 2])),
      generator.propose(ask([1, 2, 3, 4])),
      generator.propose(ask([1, 2], "b")),
    ]);
    expect(asked).toEqual([
      [1, 2],
      [3, 4],
      [1, 2],
    ]);
    expect(eleven.map(({ text }) => text)).toEqual(["sample 1", "sample 2", "sample 3", "sample 4"]);
    expect(eleven.slice(0, 2)).toEqual(five);
    expect(other).toEqual(five);
    await generator.propose(ask([4, 1]));
    expect(asked).toHaveLength(3);
  });

  it("gives one sample to equal seeds", async () => {
    const generator = rememberProposals(createScriptedGenerator(({ seeds }) => `${seeds.length}`));
    expect((await generator.propose(ask([7, 7]))).map(({ text }) => text)).toEqual(["1", "1"]);
  });
});
