/**
 * Byte-level byte-pair encoding as Hugging Face's `tokenizers` does it, for `tokenizer.json` files of that kind. The
 * library `@huggingface/tokenizers` gives the same tokens; this one remembers what pieces of text became, which makes
 * it fast enough for whole training corpora.
 */
import { ConfigError } from "../errors.ts";
import { translateSplitPattern } from "./split-pattern.ts";
import type { TokenizerJson } from "./tokenizer-files.ts";

/** The pattern of a ByteLevel pre-tokenizer with `use_regex` (GPT-2's). */
const GPT2_PATTERN = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** Pieces remembered at most; then the memory starts afresh. */
const CACHE_LIMIT = 100_000;

/** The printable character that stands for each byte in a vocabulary, by byte (GPT-2's alphabet). */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let replaced = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : 256 + replaced++));
})();

const CHARACTER_BYTES = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));
const textEncoder = new TextEncoder();

/** The text's UTF-8 bytes, each as its printable character. */
export function toByteCharacters(text: string): string {
  let result = "";
  for (const byte of textEncoder.encode(text)) result += BYTE_CHARACTERS[byte];
  return result;
}

/** Cuts text into the pieces within which merges happen. */
export type PreTokenizer = (text: string) => string[];

/** A pre-tokenizer that isolates every match of each pattern in turn. @throws {ConfigError} for a malformed pattern. */
export function createPreTokenizer(patterns: readonly string[]): PreTokenizer {
  const expressions = patterns.map((pattern) => {
    try {
      return new RegExp(translateSplitPattern(pattern), "gu");
    } catch (error) {
      const fields = { key: "pre_tokenizer", found: pattern };
      const reason = error instanceof Error ? error.message : "";
      const message = `pre_tokenizer: the pattern ${pattern} is not supported (${reason})`;
      throw new ConfigError(message, fields, { cause: error });
    }
  });
  return (text) => {
    let pieces = text === "" ? [] : [text];
    for (const expression of expressions) pieces = pieces.flatMap((piece) => isolateMatches(piece, expression));
    return pieces;
  };
}

function isolateMatches(text: string, expression: RegExp): string[] {
  // Most patterns match everything, and then this is much the fastest way.
  const matches: string[] = text.match(expression) ?? [];
  if (matches.reduce((length, match) => length + match.length, 0) === text.length) {
    return matches.includes("") ? matches.filter((match) => match !== "") : matches;
  }
  const pieces: string[] = [];
  let end = 0;
  for (const match of text.matchAll(expression)) {
    if (match[0] === "") continue;
    if (match.index > end) pieces.push(text.slice(end, match.index));
    pieces.push(match[0]);
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}

export class ByteLevelBpe {
  /** One more than the greatest token id. */
  readonly vocabularySize: number;
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #ranks: ReadonlyMap<string, number>;
  readonly #ignoreMerges: boolean;
  readonly #preTokenize: PreTokenizer;
  /** Whether texts are brought into Unicode's composed form first. */
  readonly #composes: boolean;
  /** Bytes of each token; of a control token, its text. */
  readonly #tokenBytes: readonly (Uint8Array | undefined)[];
  readonly #cache = new Map<string, readonly number[]>();

  /** @throws {ConfigError} naming the key when the tokenizer is of another kind or incomplete. */
  constructor(tokenizer: TokenizerJson) {
    this.#preTokenize = createPreTokenizer(readPatterns(tokenizer));
    this.#composes = readNormalizer(tokenizer.normalizer);
    checkDecoder(tokenizer.decoder);
    checkParts(tokenizer);
    const { model, added_tokens: addedTokens } = tokenizer;
    this.#vocabulary = new Map(Object.entries(model.vocab));
    for (const character of BYTE_CHARACTERS) {
      if (!this.#vocabulary.has(character)) {
        const message = `model.vocab has no entry for the byte ${CHARACTER_BYTES.get(character)}`;
        throw new ConfigError(message, { key: "model.vocab", expected: character });
      }
    }
    const merges = model.merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" ")));
    this.#ranks = new Map(merges.map((merge, rank) => [merge, rank]));
    this.#ignoreMerges = model.ignore_merges;

    const tokenBytes: Uint8Array[] = [];
    for (const [token, id] of this.#vocabulary) {
      tokenBytes[id] = Uint8Array.from(token, (character) => CHARACTER_BYTES.get(character) ?? 0x3f);
    }
    for (const { id, content } of addedTokens) tokenBytes[id] = textEncoder.encode(content);
    this.#tokenBytes = tokenBytes;
    this.vocabularySize = tokenBytes.length;
  }

  /** Tokens of plain text; text that looks like a control token is plain text here. Lone surrogates become U+FFFD. */
  encode(text: string): number[] {
    const tokens: number[] = [];
    for (const piece of this.#preTokenize(this.#composes ? text.normalize("NFC") : text)) {
      for (const token of this.#encodePiece(piece)) tokens.push(token);
    }
    return tokens;
  }

  /** The text of tokens; control tokens appear as their text, bytes that are not UTF-8 as U+FFFD. */
  decode(tokens: Iterable<number>): string {
    const parts = Array.from(tokens, (token) => this.bytesOf(token));
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }

  /** None for a number that is no token. */
  bytesOf(token: number): Uint8Array {
    return this.#tokenBytes[token] ?? new Uint8Array();
  }

  #encodePiece(piece: string): readonly number[] {
    let tokens = this.#cache.get(piece);
    if (tokens === undefined) {
      tokens = this.#merge(toByteCharacters(piece));
      if (this.#cache.size >= CACHE_LIMIT) this.#cache.clear();
      this.#cache.set(piece, tokens);
    }
    return tokens;
  }

  /** Joins the adjacent pair of best rank, leftmost first, until none is left. */
  #merge(characters: string): readonly number[] {
    const whole = this.#vocabulary.get(characters);
    if (this.#ignoreMerges && whole !== undefined) return [whole];
    let symbols = [...characters];
    for (let best = this.#bestPair(symbols); best >= 0; best = this.#bestPair(symbols)) {
      symbols = this.#mergePair(symbols, best);
    }
    return symbols.map((symbol) => this.#vocabulary.get(symbol)!);
  }

  #rank(left: string | undefined, right: string | undefined): number {
    return this.#ranks.get(`${left} ${right}`) ?? Number.POSITIVE_INFINITY;
  }

  /** Where the leftmost pair of best rank begins; −1 if no pair can be joined. */
  #bestPair(symbols: readonly string[]): number {
    let best = -1;
    let bestRank = Number.POSITIVE_INFINITY;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const rank = this.#rank(symbols[i], symbols[i + 1]);
      if (rank < bestRank) [best, bestRank] = [i, rank];
    }
    return best;
  }

  /**
   * Joins the pair at `first` and, as the next ones in turn, its other occurrences from there on, up to where joining
   * one makes a pair of better rank. In one pass, as text without a break is long in what others send.
   */
  #mergePair(symbols: readonly string[], first: number): string[] {
    const [left, right] = [symbols[first]!, symbols[first + 1]!];
    const rank = this.#rank(left, right);
    const merged = symbols.slice(0, first);
    let i = first;
    for (let better = false; i < symbols.length && !better;) {
      if (symbols[i] !== left || symbols[i + 1] !== right) {
        merged.push(symbols[i++]!);
        continue;
      }
      better = this.#rank(merged.at(-1), left + right) < rank || this.#rank(left + right, symbols[i + 2]) < rank;
      merged.push(left + right);
      i += 2;
    }
    for (; i < symbols.length; i++) merged.push(symbols[i]!);
    return merged;
  }
}

/** No vocabulary has more entries. */
const MOST_TOKENS = 2 ** 24;

/** @throws {ConfigError} naming the key when the parts that are read are not there or not of their kind. */
function checkParts({ model, added_tokens: addedTokens }: TokenizerJson): void {
  const refuse = (key: string, found: unknown, expected: string): never => {
    const shown = (JSON.stringify(found) ?? "missing").slice(0, 80);
    throw new ConfigError(`tokenizer.json: ${key} is ${shown}; expected ${expected}`, { key, found: shown, expected });
  };
  const isToken = (id: unknown): boolean =>
    Number.isSafeInteger(id) && (id as number) >= 0 && (id as number) < MOST_TOKENS;
  const { vocab, merges } = model;
  if (typeof vocab !== "object" || vocab === null) refuse("model.vocab", vocab, "an object");
  for (const [entry, id] of Object.entries(vocab)) {
    if (!isToken(id)) refuse(`model.vocab.${entry}`, id, `an integer from 0 to ${MOST_TOKENS - 1}`);
  }
  if (!Array.isArray(addedTokens)) refuse("added_tokens", addedTokens, "a list");
  for (const token of addedTokens) {
    if (!isToken(token?.id) || typeof token.content !== "string") refuse("added_tokens", token, "an id and a content");
    if (token.content === "") refuse("added_tokens", token, "a content of one character or more");
    const entry = Object.hasOwn(vocab, token.content) ? vocab[token.content] : token.id;
    if (entry !== token.id) refuse("added_tokens", token, `the id ${entry}, as in model.vocab`);
    // Transformers looks for it in every text, where the names of others do not occur but by intent.
    if (token.special === false && !/[<>[\]{}|]/.test(token.content))
      refuse(
        "added_tokens",
        token,
        "special tokens, or names in brackets: ordinary words and spaces are not looked for",
      );
    for (const flag of ["lstrip", "rstrip", "single_word"] as const) {
      if (typeof (token[flag] ?? false) !== "boolean") refuse("added_tokens", token, `${flag} to be true or false`);
    }
  }
  if (!Array.isArray(merges)) refuse("model.merges", merges, "a list");
  for (const merge of merges) {
    const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    const isPair = Array.isArray(parts) && parts.length === 2;
    if (!isPair || !Object.hasOwn(vocab, parts.join("")))
      refuse("model.merges", merge, "a pair that makes an entry of model.vocab");
  }
  for (const key of ["continuing_subword_prefix", "end_of_word_suffix", "dropout"] as const) {
    if (model[key]) refuse(`model.${key}`, model[key], "null");
  }
}

function refuseKey(key: string, found: unknown, expected: string): never {
  const shown = (JSON.stringify(found) ?? "missing").slice(0, 200);
  throw new ConfigError(`tokenizer.json: ${key} is ${shown}; expected ${expected}`, { key, found: shown, expected });
}

/** A part of a tokenizer, which may be a sequence of parts, of which some may be sequences. */
type Step = Readonly<Record<string, unknown>> & { readonly type?: unknown };

/** The parts in order, each with its key. Nothing of a part that is not there. */
function stepsOf(part: unknown, key: string, list: string): { readonly step: Step; readonly key: string }[] {
  if (part === null || part === undefined) return [];
  if (typeof part !== "object") refuseKey(key, part, "an object or null");
  const step = part as Step;
  if (step.type !== "Sequence") return [{ step, key }];
  const steps = step[list];
  if (!Array.isArray(steps)) refuseKey(`${key}.${list}`, steps, "a list");
  return (steps as unknown[]).flatMap((inner, i) => stepsOf(inner, `${key} ${i}`, list));
}

/** Whether texts are brought into the composed form. @throws {ConfigError} for another normalizer. */
function readNormalizer(normalizer: unknown): boolean {
  const steps = stepsOf(normalizer, "normalizer", "normalizers");
  for (const { step, key } of steps) {
    if (step.type !== "NFC") refuseKey(key, step, "null or NFC, or a Sequence of NFC or of nothing");
  }
  return steps.length > 0;
}

/** @throws {ConfigError} unless tokens become text by their bytes, and no otherwise. */
function checkDecoder(decoder: unknown): void {
  const steps = stepsOf(decoder, "decoder", "decoders");
  const isBytes = steps.length === 1 && steps[0]!.step.type === "ByteLevel";
  if (!isBytes) refuseKey("decoder", decoder, "ByteLevel, or a Sequence of it alone");
}

/** The patterns of the pre-tokenizer, in order. @throws {ConfigError} for whatever this encoder would get wrong. */
function readPatterns(tokenizer: TokenizerJson): string[] {
  const { model } = tokenizer;
  if (model?.type !== "BPE") refuseKey("model.type", model?.type, '"BPE"');
  if (model.byte_fallback) refuseKey("model.byte_fallback", model.byte_fallback, "false");
  const steps = stepsOf(tokenizer.pre_tokenizer, "pre_tokenizer", "pretokenizers");
  const patterns = steps.flatMap(({ step, key }, i) => {
    if (step.type === "ByteLevel") {
      if (i + 1 < steps.length) refuseKey(key, step, "ByteLevel as the last step alone");
      if (step["add_prefix_space"]) refuseKey(`${key}.add_prefix_space`, step["add_prefix_space"], "false");
      return step["use_regex"] === false ? [] : [GPT2_PATTERN];
    }
    if (step.type === "Digits") return [step["individual_digits"] ? String.raw`\p{N}` : String.raw`\p{N}+`];
    const regex = step.type === "Split" ? (step["pattern"] as { readonly Regex?: unknown } | null)?.Regex : undefined;
    if (typeof regex !== "string" || regex === "" || step["behavior"] !== "Isolated" || step["invert"]) {
      return refuseKey(key, step, "a Split by Regex with behavior Isolated, Digits or ByteLevel");
    }
    return [regex];
  });
  if (steps.at(-1)?.step.type !== "ByteLevel") {
    refuseKey("pre_tokenizer", tokenizer.pre_tokenizer, "ByteLevel as the last step");
  }
  return patterns;
}
