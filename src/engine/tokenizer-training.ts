/**
 * Makes a tokenizer for a small model: whole phrases, words and marks that are frequent in the texts become single
 * tokens, and ordinary byte-pair merges cover what is left. The result is a standard `tokenizer.json`.
 */
import { ConfigError } from "../errors.ts";
import { BYTE_CHARACTERS, createPreTokenizer, toByteCharacters } from "./byte-level-bpe.ts";
import { escapeRegExp } from "./chat.ts";
import type { AddedToken, TokenizerFiles } from "./tokenizer-files.ts";

export type { TokenizerFiles } from "./tokenizer-files.ts";

export const SPECIAL_TOKENS = { pad: "<|pad|>", end: "<|end|>", user: "<|user|>", assistant: "<|assistant|>" } as const;

/** Words with an optional space before, names' later parts, digits, line starts, marks, and any other character. */
const PIECE_PATTERN = String.raw` ?[A-Za-z]+|_[a-z]+|[0-9]|\n *| ?[^ \t\r\nA-Za-z0-9]|[\s\S]`;

/** user: `<|user|>` content; assistant: `<|assistant|>` content `<|end|>`; generation prompt: `<|assistant|>`. */
const CHAT_TEMPLATE =
  "{% for message in messages %}" +
  `{% if message['role'] == 'user' %}{{ '${SPECIAL_TOKENS.user}' + message['content'] }}` +
  `{% elif message['role'] == 'assistant' %}` +
  `{{ '${SPECIAL_TOKENS.assistant}' + message['content'] + '${SPECIAL_TOKENS.end}' }}` +
  "{% else %}{{ raise_exception('unknown role: ' + message['role']) }}{% endif %}{% endfor %}" +
  `{% if add_generation_prompt %}{{ '${SPECIAL_TOKENS.assistant}' }}{% endif %}`;

/** Share of the vocabulary kept for merges, so that unseen words need not fall apart into bytes. */
const MERGE_SHARE = 0.12;
/** A piece must be this frequent to be a token of its own, a pair to be merged. */
const MIN_COUNT = 2;

export interface TokenizerTrainingOptions {
  readonly texts: Iterable<string>;
  /** Texts that are one token wherever they occur; of several that fit, the longest. */
  readonly phrases: readonly string[];
  /** Most entries, special tokens included; fewer if the texts do not give as many. At least 260 + phrases. */
  readonly vocabularySize: number;
}

/** Deterministic. @throws {ConfigError} when the vocabulary is too small for the bytes and phrases. */
export function trainTokenizer(options: TokenizerTrainingOptions): TokenizerFiles {
  const { texts, vocabularySize } = options;
  const phrases = [...new Set(options.phrases)].filter((phrase) => phrase !== "").toSorted(longestFirst);
  const specials = Object.values(SPECIAL_TOKENS);
  const least = specials.length + BYTE_CHARACTERS.length + phrases.length;
  if (!(vocabularySize >= least)) {
    const message = `vocabularySize is ${vocabularySize}; expected at least ${least} for ${phrases.length} phrases`;
    throw new ConfigError(message, { key: "vocabularySize", found: vocabularySize, expected: least });
  }

  const pattern = [...phrases.map(escapeRegExp), PIECE_PATTERN].join("|");
  const preTokenize = createPreTokenizer([pattern]);
  const counts = new Map<string, number>();
  for (const text of texts) for (const piece of preTokenize(text)) counts.set(piece, (counts.get(piece) ?? 0) + 1);

  const vocabulary = new Map<string, number>();
  const addEntry = (entry: string): void => {
    if (!vocabulary.has(entry)) vocabulary.set(entry, vocabulary.size);
  };
  for (const entry of [...specials, ...BYTE_CHARACTERS, ...phrases.map(toByteCharacters)]) addEntry(entry);
  const phraseSet = new Set(phrases);
  const pieces = [...counts]
    .filter(([piece]) => !phraseSet.has(piece))
    .map(([piece, count]) => ({ symbols: toByteCharacters(piece), count }))
    .toSorted((a, b) => b.count - a.count || compare(a.symbols, b.symbols));
  const wholePieceLimit = Math.max(least, Math.floor(vocabularySize * (1 - MERGE_SHARE)));
  for (const { symbols, count } of pieces) {
    if (vocabulary.size >= wholePieceLimit || count < MIN_COUNT) break;
    addEntry(symbols);
  }
  const merges = learnMerges(pieces, vocabulary, vocabularySize);

  const addedTokens = specials.map((content): AddedToken => {
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
    return { id: vocabulary.get(content)!, content, ...flags };
  });
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: addedTokens,
      normalizer: null,
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
          { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
        ],
      },
      post_processor: null,
      decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: true,
        vocab: Object.fromEntries(vocabulary),
        merges,
      },
    },
    config: {
      tokenizer_class: "PreTrainedTokenizerFast",
      clean_up_tokenization_spaces: false,
      eos_token: SPECIAL_TOKENS.end,
      pad_token: SPECIAL_TOKENS.pad,
      chat_template: CHAT_TEMPLATE,
    },
  };
}

interface Word {
  symbols: string[];
  readonly weight: number;
}

/**
 * Byte-pair merges in the order found, adding each result to the vocabulary until that is full. Pieces that are tokens
 * already count once each: they need no merges themselves but show how words are spelt.
 */
function learnMerges(
  pieces: readonly { symbols: string; count: number }[],
  vocabulary: Map<string, number>,
  vocabularySize: number,
): [string, string][] {
  const words = pieces
    .map(({ symbols, count }): Word => ({ symbols: [...symbols], weight: vocabulary.has(symbols) ? 1 : count }))
    .filter(({ symbols }) => symbols.length > 1);
  const merges: [string, string][] = [];
  while (vocabulary.size < vocabularySize) {
    const best = bestPair(words);
    if (best === undefined) break;
    const [left, right] = best;
    const merged = left + right;
    merges.push(best);
    if (!vocabulary.has(merged)) vocabulary.set(merged, vocabulary.size);
    for (const word of words) {
      for (let i = 0; i + 1 < word.symbols.length; i++) {
        if (word.symbols[i] === left && word.symbols[i + 1] === right) word.symbols.splice(i, 2, merged);
      }
    }
  }
  return merges;
}

/** The heaviest adjacent pair, of equal ones the first in code point order; undefined when none is frequent enough. */
function bestPair(words: readonly Word[]): [string, string] | undefined {
  const weights = new Map<string, number>();
  for (const { symbols, weight } of words) {
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = `${symbols[i]} ${symbols[i + 1]}`;
      weights.set(pair, (weights.get(pair) ?? 0) + weight);
    }
  }
  let best: string | undefined;
  let bestWeight = MIN_COUNT - 1;
  for (const [pair, weight] of weights) {
    if (weight > bestWeight || (weight === bestWeight && best !== undefined && pair < best)) {
      [best, bestWeight] = [pair, weight];
    }
  }
  return best?.split(" ") as [string, string] | undefined;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const longestFirst = (a: string, b: string): number => b.length - a.length || compare(a, b);
