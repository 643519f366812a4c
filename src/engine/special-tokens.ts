/** Special tokens by the files of a tokenizer: those of `tokenizer.json`, and what `tokenizer_config.json` names. */
import { ConfigError } from "../errors.ts";
import type { AddedToken, TokenizerFiles } from "./tokenizer-files.ts";

export interface SpecialTokens {
  /** By their content. */
  readonly added: ReadonlyMap<string, AddedToken>;
  /** What `transformers` adds to those: content, and the key that names it. They have no place in the model. */
  readonly foreign: ReadonlyMap<string, string>;
  /** What a template may name: `bos_token`, `eos_token` and the like. */
  readonly named: Readonly<Record<string, string>>;
}

/** @throws {ConfigError} where the two files say different things of a token, or texts are split at none. */
export function readSpecialTokens({ tokenizer, config }: TokenizerFiles): SpecialTokens {
  const added = new Map(tokenizer.added_tokens.map((token) => [token.content, token]));
  const refuse = (key: string, found: unknown, expected: string): never => {
    const message = `tokenizer_config.json: ${key} is ${JSON.stringify(found) ?? "missing"}; expected ${expected}`;
    throw new ConfigError(message, { key, found, expected });
  };
  if (config["split_special_tokens"]) {
    refuse("split_special_tokens", config["split_special_tokens"], "false: templates are made of special tokens");
  }
  const named: Record<string, string> = {};
  const foreign = new Map<string, string>();
  const know = (content: string | undefined, key: string): void => {
    if (content !== undefined && content !== "" && !added.has(content) && !foreign.has(content)) {
      foreign.set(content, `tokenizer_config.json: ${key}`);
    }
  };
  for (const [key, value] of Object.entries(config)) {
    const text = key.endsWith("_token") ? tokenText(value) : undefined;
    if (text === undefined) continue;
    named[key] = text;
    know(text, key);
  }
  for (const key of ["extra_special_tokens", "additional_special_tokens"]) {
    const more = config[key] ?? [];
    if (typeof more !== "object") refuse(key, more, "a list of tokens");
    for (const [name, value] of Object.entries(more as object)) {
      const text = tokenText(value);
      if (!Array.isArray(more) && text !== undefined) named[name] = text;
      know(text, key);
    }
  }
  const decoder = config["added_tokens_decoder"] ?? {};
  if (typeof decoder !== "object") refuse("added_tokens_decoder", decoder, "an object of tokens");
  for (const [id, value] of Object.entries(decoder as object)) {
    const key = `added_tokens_decoder.${id}`;
    const content = tokenText(value);
    if (content === undefined) refuse(key, value, "a token with its content");
    know(content, key);
    const token = added.get(content!);
    if (token === undefined) continue;
    if (String(token.id) !== id) refuse(key, content, `${content} at ${token.id}, as in tokenizer.json`);
    for (const flag of ["lstrip", "rstrip", "single_word"] as const) {
      const found = (value as Partial<AddedToken>)[flag] ?? false;
      if (found !== (token[flag] ?? false)) refuse(`${key}.${flag}`, found, `${token[flag]}, as in tokenizer.json`);
    }
  }
  return { added, foreign, named };
}

/** The text of a token named in `tokenizer_config.json`, which writes either the text or an object. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || !("content" in value)) return undefined;
  return typeof value.content === "string" ? value.content : undefined;
}
