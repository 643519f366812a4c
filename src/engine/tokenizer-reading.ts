/** The files of a tokenizer as `transformers` reads them: which are there, and which of two that disagree counts. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../errors.ts";
import type { Tokenizer } from "./engine.ts";
import { exists, readJson, readText, type Json } from "./read-files.ts";
import { tokenText } from "./special-tokens.ts";
import type { NamedTemplate, TokenizerFiles } from "./tokenizer-files.ts";
import { loadTokenizer } from "./tokenizer.ts";

const FILES = {
  tokenizer: "tokenizer.json",
  config: "tokenizer_config.json",
  /** Of older checkpoints: special tokens, where the config has no `added_tokens_decoder`. */
  specialTokens: "special_tokens_map.json",
  addedTokens: "added_tokens.json",
  template: "chat_template.jinja",
  /** A folder of more templates, by name. */
  moreTemplates: "additional_chat_templates",
  /** A processor's, which a tokenizer of `transformers` does not read. */
  processorTemplate: "chat_template.json",
} as const;

/** The files that can name the tokens that end a text, the one that counts first. */
const MODEL_FILES = ["generation_config.json", "config.json"] as const;

/** @throws {ConfigError} naming the file and the key when the tokenizer is of another kind, or something lacks. */
export async function readTokenizer(directory: string): Promise<Tokenizer> {
  const files = await readTokenizerFiles(directory);
  const endTokens: number[] = [];
  for (const name of MODEL_FILES) {
    const file = join(directory, name);
    const ids = (await exists(file)) ? [(await readJson(file))["eos_token_id"]].flat() : [];
    endTokens.push(...ids.filter((id): id is number => Number.isSafeInteger(id)));
  }
  return loadTokenizer(files, { endTokens });
}

/** @throws {ConfigError} naming the file when one is missing or not what it should be. */
export async function readTokenizerFiles(directory: string): Promise<TokenizerFiles> {
  const tokenizer = await readJson(join(directory, FILES.tokenizer));
  const config = { ...(await readJson(join(directory, FILES.config))) };
  if (config["added_tokens_decoder"] === undefined) {
    const specialTokens = join(directory, FILES.specialTokens);
    const named = (await exists(specialTokens)) ? await readJson(specialTokens) : {};
    for (const [key, value] of Object.entries(named)) {
      config[key] = Array.isArray(value) ? value.map(asConfigured) : asConfigured(value);
    }
    await checkAddedTokens(join(directory, FILES.addedTokens), tokenizer);
  }
  const versions = config["fast_tokenizer_files"];
  if (versions !== undefined && [versions].flat().join() !== FILES.tokenizer) {
    const message = `${join(directory, FILES.config)}: fast_tokenizer_files is ${JSON.stringify(versions)}; expected it to be left out: one file is read, ${FILES.tokenizer}`;
    throw new ConfigError(message, { key: "fast_tokenizer_files", found: versions });
  }
  const template = await readTemplates(directory, config["chat_template"]);
  const changed = template === undefined ? {} : { chat_template: template };
  return { tokenizer, config: { ...config, ...changed } } as unknown as TokenizerFiles;
}

/** A token as an object is marked as one in `tokenizer_config.json`, where it will stand when it is written again. */
function asConfigured(token: unknown): unknown {
  return tokenText(token) === undefined || typeof token === "string"
    ? token
    : { __type: "AddedToken", ...(token as object) };
}

/** @throws {ConfigError} for a token that `tokenizer.json` does not have, or has by another number. */
async function checkAddedTokens(file: string, tokenizer: Json): Promise<void> {
  if (!(await exists(file))) return;
  const added = [tokenizer["added_tokens"]].flat() as ({ content?: unknown; id?: unknown } | null | undefined)[];
  const ids = new Map(added.map((token) => [token?.content, token?.id]));
  for (const [content, id] of Object.entries(await readJson(file))) {
    if (ids.get(content) === id) continue;
    const expected = ids.has(content) ? `${String(ids.get(content))}, as in` : "one of added_tokens in";
    const message = `${file}: ${content} is ${JSON.stringify(id)}; expected ${expected} ${FILES.tokenizer}`;
    throw new ConfigError(message, { file, key: content, found: id });
  }
}

/** Template files come before what the config says; a processor's is better than none. */
async function readTemplates(directory: string, configured: unknown): Promise<unknown> {
  const templates: NamedTemplate[] = [];
  const only = join(directory, FILES.template);
  if (await exists(only)) templates.push({ name: "default", template: await readText(only) });
  const folder = join(directory, FILES.moreTemplates);
  const names = (await exists(folder)) ? (await readdir(folder)).filter((name) => name.endsWith(".jinja")) : [];
  for (const name of names.toSorted()) {
    templates.push({ name: name.slice(0, -".jinja".length), template: await readText(join(folder, name)) });
  }
  if (templates.length === 1 && templates[0]!.name === "default") return templates[0]!.template;
  if (templates.length > 0) return templates;
  const processors = join(directory, FILES.processorTemplate);
  if ((configured === undefined || configured === null) && (await exists(processors))) {
    return (await readJson(processors))["chat_template"];
  }
  return configured;
}
