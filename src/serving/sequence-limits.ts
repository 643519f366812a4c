/** The tokenizer and the context of a checkpoint that somebody else computes. */
import { join } from "node:path";
import { readJson } from "../engine/read-files.ts";
import { readTokenizer } from "../engine/tokenizer-reading.ts";
import { ConfigError } from "../errors.ts";
import type { SequenceLimits } from "../verifier/score-forms.ts";

/** @throws ConfigError naming the file when one is missing, or the tokenizer is of another kind. */
export async function readSequenceLimits(directory: string): Promise<SequenceLimits> {
  const file = join(directory, "config.json");
  const { max_position_embeddings: contextLength } = await readJson(file);
  if (typeof contextLength !== "number" || !Number.isInteger(contextLength) || contextLength < 2) {
    throw new ConfigError(
      `${file}: max_position_embeddings is ${JSON.stringify(contextLength)}; expected the context's length`,
      {
        file,
        key: "max_position_embeddings",
      },
    );
  }
  return { tokenizer: await readTokenizer(directory), contextLength };
}
