/** A small tokenizer and model shapes for tests. */
import { trainTokenizer } from "../tokenizer-training.ts";
import type { LlamaConfig } from "./llama-parameters.ts";

const names = ["add", "sum", "count", "sort"];

export const tokenizerFiles = trainTokenizer({
  texts: Array.from({ length: 40 }, (_, i) => `Write a function.\ndef ${names[i % 4]}(xs):\n    return xs + ${i}\n`),
  phrases: ["Write a function", "\n    return "],
  vocabularySize: 300,
});

export const tinyConfig: LlamaConfig = {
  vocabularySize: 300,
  hiddenSize: 32,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 48,
  contextLength: 192,
  tieEmbeddings: true,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};
