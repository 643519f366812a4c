import { describe, expect, it, vi } from "vitest";
import {
  createPretrainingDocuments,
  type PretrainingDocument,
  type PretrainingDocumentOptions,
} from "./pretraining-documents.ts";

/** What was drawn so far: the work of making documents, in steps that every machine counts alike. */
const counts = vi.hoisted(() => ({ streams: 0, numbers: 0 }));
vi.mock(import("../../random.ts"), async (importOriginal) => {
  const original = await importOriginal();
  const createRandom: typeof original.createRandom = (...parts) => {
    counts.streams++;
    const random = original.createRandom(...parts);
    return () => (counts.numbers++, random());
  };
  return { ...original, createRandom };
});

function take(count: number, options: PretrainingDocumentOptions): PretrainingDocument[] {
  const stream = createPretrainingDocuments(options);
  return Array.from({ length: count }, () => stream.next().value);
}

describe("pretraining documents", () => {
  it("are the same for the same seed, and others for another", () => {
    expect(take(30, { seed: 3 })).toEqual(take(30, { seed: 3 }));
    expect(take(30, { seed: 3 })).not.toEqual(take(30, { seed: 4 }));
  });

  it("end in a program for the function that the prompt names", () => {
    for (const { conversation, completion } of take(200, { seed: 1 })) {
      const name = /\nFunction: (\w+)/.exec(conversation[0]?.content ?? "")?.[1];
      expect(completion.startsWith(`def ${name}(`)).toBe(true);
      expect(completion).toBe(completion.trimEnd());
    }
  });

  it("show the public test and have earlier attempts as often as asked", () => {
    const documents = take(1000, { seed: 2, showPublicTestsShare: 0.2, multiTurnShare: 0.5 });
    const shown = documents.filter(({ conversation }) => conversation[0]?.content.includes("\nassert ")).length;
    const repaired = documents.filter(({ conversation }) => conversation.length > 1).length;
    expect(Math.abs(shown / 1000 - 0.2)).toBeLessThan(0.04);
    // A few tasks have no mistake that shows in the public test.
    expect(repaired / 1000).toBeGreaterThan(0.42);
    expect(repaired / 1000).toBeLessThan(0.53);
    expect(take(200, { seed: 2, multiTurnShare: 0 }).every(({ conversation }) => conversation.length === 1)).toBe(true);
  });

  it("have one or two earlier attempts that differ from each other and from the gold program, each with feedback", () => {
    const lengths = new Set<number>();
    for (const { conversation, completion } of take(300, { seed: 5, multiTurnShare: 1 })) {
      lengths.add(conversation.length);
      expect(conversation.map(({ role }) => role)).toEqual(
        conversation.map((_, i) => (i % 2 === 0 ? "user" : "assistant")),
      );
      const programs = conversation.filter(({ role }) => role === "assistant").map(({ content }) => content);
      expect(new Set([...programs, completion]).size).toBe(programs.length + 1);
      for (const { content } of conversation.filter((_, i) => i > 0 && i % 2 === 0)) {
        expect(content).toMatch(
          /^Failed: assert \w+\(.*\) == .*\n(Got: .+|line \d, in .+\n    return .+\nTypeError: .+)$/,
        );
      }
    }
    expect([...lengths].toSorted()).toEqual([1, 3, 5]);
  });

  it("cost little enough to pretrain from: most draws give one, of few random numbers each", () => {
    counts.streams = counts.numbers = 0;
    take(1500, { seed: 6 });
    expect(counts.streams).toBeLessThan(1500 * 2);
    expect(counts.numbers).toBeLessThan(1500 * 150);
  });
});
