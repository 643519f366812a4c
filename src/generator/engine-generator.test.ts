import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEmbeddedModel } from "../engine/embedded/embedded-model.ts";
import type { TrainableModel } from "../engine/engine.ts";
import { trainTokenizer } from "../engine/tokenizer-training.ts";
import type { Message } from "../tasks/prompt.ts";
import { createEngineGenerator } from "./engine-generator.ts";
import type { Generator } from "./generator.ts";
import { proposeFitting, withoutOldest } from "./propose-fitting.ts";

const contextLength = 96;
let model: TrainableModel;
let generator: Generator;
/** The prompts that the engine was asked to continue. */
const prompts: number[][] = [];
beforeAll(async () => {
  const tokenizer = trainTokenizer({ texts: ["def add(xs):\n    return sum(xs)\n"], phrases: [], vocabularySize: 270 });
  const loaded = await createEmbeddedModel({
    config: {
      vocabularySize: 270,
      hiddenSize: 32,
      layerCount: 1,
      headCount: 2,
      keyValueHeadCount: 1,
      intermediateSize: 64,
      contextLength,
      tieEmbeddings: true,
      ropeTheta: 10_000,
      rmsNormEpsilon: 1e-5,
    },
    tokenizer,
    seed: 1,
    threads: 1,
  });
  model = {
    ...loaded,
    sample: (request, signal) => {
      prompts.push([...request.tokens]);
      return loaded.sample(request, signal);
    },
  };
  generator = createEngineGenerator(model);
});
afterAll(() => generator.close());

const user = (content: string): Message => ({ role: "user", content });
const settings = { seeds: [1], temperature: 1, maxTokens: 12 };
const lengthOf = (conversation: readonly Message[]): number =>
  model.tokenizer.encodeChat(conversation, { addGenerationPrompt: true }).length;

describe("a conversation with a model of a short context", () => {
  it("loses as few of its oldest turns as leave room", async () => {
    const turns = Array.from({ length: 8 }, (_, i): Message[] => [
      { role: "assistant", content: `def f${i}(): return ${i}` },
      user("No."),
    ]);
    const conversation = [user("Add."), ...turns.flat()];
    const needed = turns.findIndex((_, count) => lengthOf(withoutOldest(conversation, count)) < contextLength);
    expect(needed).toBeGreaterThan(2);
    expect(needed).toBeLessThan(7);
    for (const alreadyDropped of [0, 2]) {
      prompts.length = 0;
      const proposal = await proposeFitting(generator, { ...settings, conversation }, { alreadyDropped });
      expect(proposal.droppedTurns).toBe(needed);
      expect(proposal.completions).not.toMatchObject([{ stopReason: "no-room" }]);
      const expected = [conversation[0]!, ...turns.slice(needed).flat()];
      expect(prompts).toEqual([[...model.tokenizer.encodeChat(expected, { addGenerationPrompt: true })]]);
    }
  });

  it("that leaves room for one token is left as it is", async () => {
    const conversation = [user("x"), { role: "assistant", content: "y" } as const, user("")];
    const missing = contextLength - 1 - lengthOf(conversation);
    conversation[2] = user("z".repeat(missing));
    const proposal = await proposeFitting(generator, { ...settings, conversation }, { alreadyDropped: 0 });
    expect(lengthOf(conversation)).toBe(contextLength - 1);
    expect(proposal).toMatchObject({ droppedTurns: 0, completions: [{ tokenCount: 1 }] });
  });

  it("is answered with no room when its prompt or its last turn alone is too long", async () => {
    const long = "z".repeat(contextLength);
    for (const conversation of [
      [user(long)],
      [
        user("Add."),
        { role: "assistant", content: "a" } as const,
        user("b"),
        { role: "assistant", content: long } as const,
        user("c"),
      ],
    ]) {
      const { completions } = await proposeFitting(generator, { ...settings, conversation }, { alreadyDropped: 0 });
      expect(completions).toEqual([{ text: "", stopReason: "no-room", tokenCount: 0 }]);
    }
  });
});

describe("what a model of the engine thought", () => {
  it("is kept apart from its answer, as with servers", async () => {
    const tokens = model.tokenizer.encode("<think>\nhm\n</think>\n\ndef f(): return 1");
    const thinking = createEngineGenerator({
      ...model,
      sample: async ({ seeds }) =>
        seeds.map(() => ({ tokens, logprobs: new Float32Array(tokens.length), stopReason: "end" as const })),
    });
    expect(await thinking.propose({ ...settings, conversation: [user("Add.")] })).toEqual([
      { text: "def f(): return 1", reasoning: "hm", stopReason: "end", tokenCount: tokens.length },
    ]);
  });
});
