/** A stage's data set on disk: the lines, how long they are for the model, and the folder that trainers read. */
import { allSettled } from "../concurrency.ts";
import { join } from "node:path";
import type { Tokenizer } from "../engine/engine.ts";
import { loadTokenizer } from "../engine/tokenizer.ts";
import type { TokenizerFiles } from "../engine/tokenizer-files.ts";
import { writeFileAtomic } from "../store/atomic-write.ts";
import { encodeRecord } from "../store/json.ts";
import { readIfThere } from "../store/read-file.ts";
import type { LabelledCompletion, Preference, PromptCompletion } from "../training/data-sets.ts";

export type DataLine = PromptCompletion | Preference | LabelledCompletion;

/** What training starts from, as far as data must fit it. */
export interface ModelLimits {
  /** Of config.json; `undefined` when it does not say. */
  readonly contextLength: number | undefined;
  /** `undefined` when it is of a kind that is not read here. */
  readonly tokenizer: Tokenizer | undefined;
}

export async function readModelLimits(directory: string): Promise<ModelLimits> {
  const [model, tokenizer, config, template] = await allSettled([
    readIfThere(join(directory, "config.json")),
    readIfThere(join(directory, "tokenizer.json")),
    readIfThere(join(directory, "tokenizer_config.json")),
    readIfThere(join(directory, "chat_template.jinja")),
  ]);
  const length = model === undefined ? undefined : parse(model)["max_position_embeddings"];
  const contextLength = typeof length === "number" ? length : undefined;
  if (tokenizer === undefined || config === undefined) return { contextLength, tokenizer: undefined };
  const files = {
    tokenizer: parse(tokenizer),
    config: { ...(template !== undefined && { chat_template: template }), ...parse(config) },
  } as unknown as TokenizerFiles;
  try {
    return { contextLength, tokenizer: loadTokenizer(files) };
  } catch {
    // Of another kind: the trainer alone can read it.
    return { contextLength, tokenizer: undefined };
  }
}

/** Tokens of each of the line's sequences: one, or the two of a pair. */
export function sequenceLengths(line: DataLine, tokenizer: Tokenizer): number[] {
  const answers = "chosen" in line ? [line.chosen, line.rejected] : [line.completion];
  return answers.map((answer) => {
    const conversation = [...line.prompt, ...answer];
    return tokenizer.encodeChat(conversation, { addGenerationPrompt: false }).length;
  });
}

/** About so many characters are written at once. */
const PART_CHARACTERS = 1 << 20;

/**
 * Writes `train.jsonl` into the folder, whole or not at all.
 * @throws StoreError when the disk is full or the folder cannot be written.
 */
export async function writeDataSet(folder: string, lines: readonly DataLine[]): Promise<void> {
  await writeFileAtomic(join(folder, "train.jsonl"), encodeInParts(lines));
}

function* encodeInParts(lines: readonly DataLine[]): Generator<string> {
  let part = "";
  for (const line of lines) {
    part += `${encodeRecord(line)}\n`;
    if (part.length < PART_CHARACTERS) continue;
    yield part;
    part = "";
  }
  yield part;
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
