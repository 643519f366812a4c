/** The tokenizer of a model, from its files. */
import { ConfigError } from "../errors.ts";
import { ByteLevelBpe } from "./byte-level-bpe.ts";
import { ChatTemplate, type ChatPart } from "./chat.ts";
import { chooseTemplate } from "./chat-template-choice.ts";
import type { Tokenizer } from "./engine.ts";
import { readSpecialTokens, tokenText, type SpecialTokens } from "./special-tokens.ts";
import type { TokenizerFiles } from "./tokenizer-files.ts";

/** Message texts remembered at most; then the memory starts afresh. */
const CACHE_LIMIT = 20_000;

export interface LoadTokenizerOptions {
  /** Tokens that end a text by the model's own files, for a tokenizer that names none (`eos_token: null`). */
  readonly endTokens?: readonly number[];
}

/** @throws {ConfigError} naming the key when the files describe another kind of tokenizer or lack something. */
export function loadTokenizer(files: TokenizerFiles, { endTokens = [] }: LoadTokenizerOptions = {}): Tokenizer {
  const { tokenizer, config } = files;
  const encoder = new ByteLevelBpe(tokenizer);
  const special = readSpecialTokens(files);
  const chat = new ChatTemplate(chooseTemplate(config), special);
  const endToken = findEndToken(config.eos_token, special, endTokens);
  const controlTokens = new Set(tokenizer.added_tokens.map(({ id }) => id));

  const cache = new Map<string, Int32Array>();
  const encodeCached = (text: string): Int32Array => {
    let tokens = cache.get(text);
    if (tokens === undefined) {
      tokens = Int32Array.from(encoder.encode(text));
      if (cache.size >= CACHE_LIMIT) cache.clear();
      cache.set(text, tokens);
    }
    return tokens;
  };

  const encodePart = (part: ChatPart): Int32Array[] => {
    if ("token" in part) return [Int32Array.of(part.token)];
    const pieces: Int32Array[] = [];
    let text = "";
    const endPiece = (): void => {
      if (text !== "") pieces.push(encodeCached(text));
      text = "";
    };
    for (const piece of part.text) {
      if (piece.apart) endPiece();
      text += piece.text;
      if (piece.apart) endPiece();
    }
    endPiece();
    return pieces;
  };

  const encodeChat: Tokenizer["encodeChat"] = (conversation, options) => {
    const last = conversation.at(-1);
    if (last?.role === "assistant" && conversation.length > 1 && !options.addGenerationPrompt) {
      const before = encodeChat(conversation.slice(0, -1), { addGenerationPrompt: true });
      return concatenate([before, encodeCached(last.content), Int32Array.of(endToken)]);
    }
    return concatenate(chat.parts(conversation, options).flatMap(encodePart));
  };

  return {
    vocabularySize: encoder.vocabularySize,
    endToken,
    encode: (text) => Int32Array.from(encoder.encode(text)),
    decode: (tokens) => encoder.decode(tokens),
    bytesOf: (token) => encoder.bytesOf(token),
    isControl: (token) => controlTokens.has(token),
    encodeChat,
  };
}

/** @throws {ConfigError} when none is named, or what is named is no special token. */
function findEndToken(named: unknown, { added }: SpecialTokens, others: readonly number[]): number {
  const isNamed = named !== null && named !== undefined;
  const token = isNamed ? added.get(tokenText(named) ?? "")?.id : others[0];
  if (token !== undefined) return token;
  const found = JSON.stringify(tokenText(named) ?? named) ?? "missing";
  const elsewhere = isNamed ? "" : ", or an eos_token_id in generation_config.json or config.json";
  const message = `tokenizer_config.json: eos_token is ${found}; expected one of added_tokens${elsewhere}`;
  throw new ConfigError(message, { key: "eos_token", found: named });
}

function concatenate(pieces: readonly Int32Array[]): Int32Array {
  const tokens = new Int32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    tokens.set(piece, offset);
    offset += piece.length;
  }
  return tokens;
}
