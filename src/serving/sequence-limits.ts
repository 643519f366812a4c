/** The tokenizer and the context of a checkpoint that somebody else computes. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TokenizerFiles } from "../engine/tokenizer-files.ts";
import { loadTokenizer } from "../engine/tokenizer.ts";
import { ConfigError } from "../errors.ts";
import { readIfThere } from "../store/read-file.ts";
import type { SequenceLimits } from "../verifier/score-forms.ts";

/** @throws ConfigError naming the file when one is missing, or the tokenizer is of another kind. */
export async function readSequenceLimits(directory: string): Promise<SequenceLimits> {
  const file = join(directory, "config.json");
  const { max_position_embeddings: contextLength } = (await readJson(file)) as { max_position_embeddings?: unknown };
  if (typeof contextLength !== "number" || !Number.isInteger(contextLength) || contextLength < 2) {
    throw new ConfigError(
      `${file}: max_position_embeddings is ${JSON.stringify(contextLength)}; expected the context's length`,
      {
        file,
        key: "max_position_embeddings",
      },
    );
  }
  const config = (await readJson(join(directory, "tokenizer_config.json"))) as TokenizerFiles["config"];
  // Today's transformers writes the template into a file of its own.
  const template = config.chat_template ?? (await readIfThere(join(directory, "chat_template.jinja")));
  const files = {
    tokenizer: await readJson(join(directory, "tokenizer.json")),
    config: { ...config, chat_template: template },
  } as TokenizerFiles;
  return { tokenizer: loadTokenizer(files), contextLength };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as unknown;
  } catch (cause) {
    throw new ConfigError(`${file} cannot be read as JSON: the checkpoint is incomplete`, { file }, { cause });
  }
}
