/** The tokenizer of a model, from its two files. */
import { ConfigError } from "../errors.ts";
import { ByteLevelBpe } from "./byte-level-bpe.ts";
import { ChatTemplate, fillSlot, tokenText, type ChatPart } from "./chat.ts";
import type { ChatMessage, Tokenizer } from "./engine.ts";
import type { TokenizerFiles } from "./tokenizer-files.ts";

/** Message texts remembered at most; then the memory starts afresh. */
const CACHE_LIMIT = 20_000;

/** @throws {ConfigError} naming the key when the files describe another kind of tokenizer or lack something. */
export function loadTokenizer(files: TokenizerFiles): Tokenizer {
  const { tokenizer, config } = files;
  const encoder = new ByteLevelBpe(tokenizer);
  const chat = new ChatTemplate(config, tokenizer.added_tokens);
  const endText = tokenText(config.eos_token);
  const endToken = tokenizer.added_tokens.find(({ content }) => content === endText)?.id;
  if (endToken === undefined) {
    const message = `tokenizer_config.json: eos_token is ${JSON.stringify(endText)}; expected one of added_tokens`;
    throw new ConfigError(message, { key: "eos_token", found: endText });
  }
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

  const encodePart = (part: ChatPart, conversation: readonly ChatMessage[]): Int32Array[] => {
    if ("token" in part) return [Int32Array.of(part.token)];
    const pieces: Int32Array[] = [];
    let text = "";
    const endPiece = (): void => {
      if (text !== "") pieces.push(encodeCached(text));
      text = "";
    };
    for (const item of part.text) {
      if (typeof item === "string") {
        text += item;
        continue;
      }
      const { role, content } = conversation[item.message]!;
      if (role !== "assistant") {
        text += fillSlot(item, content);
      } else {
        endPiece();
        pieces.push(encodeCached(content));
      }
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
    return concatenate(chat.parts(conversation, options).flatMap((part) => encodePart(part, conversation)));
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

function concatenate(pieces: readonly Int32Array[]): Int32Array {
  const tokens = new Int32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    tokens.set(piece, offset);
    offset += piece.length;
  }
  return tokens;
}
