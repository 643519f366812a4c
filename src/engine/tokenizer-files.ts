/** The parts of Hugging Face's `tokenizer.json` and `tokenizer_config.json` that this project reads and writes. */

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

export interface SplitPreTokenizer {
  readonly type: "Split";
  readonly pattern: { readonly Regex: string };
  readonly behavior: "Isolated";
  readonly invert: false;
}

/** Cuts numbers out of words, digit by digit if asked for. */
export interface DigitsPreTokenizer {
  readonly type: "Digits";
  readonly individual_digits: boolean;
}

export interface ByteLevelPreTokenizer {
  readonly type: "ByteLevel";
  readonly add_prefix_space: false;
  readonly trim_offsets: boolean;
  readonly use_regex: boolean;
}

/** Unicode's composed form, or a sequence of steps, which may be none. */
export type Normalizer =
  | { readonly type: "NFC" }
  | { readonly type: "Sequence"; readonly normalizers: readonly Normalizer[] };

/** Byte-level byte-pair encoding: the only kind of tokenizer supported. */
export interface TokenizerJson {
  readonly version: string;
  readonly truncation: null;
  readonly padding: null;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: Normalizer | null;
  readonly pre_tokenizer: {
    readonly type: "Sequence";
    readonly pretokenizers: readonly (SplitPreTokenizer | DigitsPreTokenizer | ByteLevelPreTokenizer)[];
  };
  readonly post_processor: unknown;
  readonly decoder: unknown;
  readonly model: {
    readonly type: "BPE";
    readonly dropout: null;
    readonly unk_token: null;
    readonly continuing_subword_prefix: null;
    readonly end_of_word_suffix: null;
    readonly fuse_unk: boolean;
    readonly byte_fallback: false;
    /** A pre-token that is in the vocabulary is one token, whatever the merges say. */
    readonly ignore_merges: boolean;
    readonly vocab: Readonly<Record<string, number>>;
    /** Best first; pairs of vocabulary entries, in older files with a space between. */
    readonly merges: readonly (readonly [string, string] | string)[];
  };
}

export interface TokenizerConfigJson {
  readonly tokenizer_class: string;
  /** `null` where the model's own files alone name the token that ends a text. */
  readonly eos_token: string | null;
  readonly pad_token: string | null;
  /** One template, or several with names, of which `default` is taken. */
  readonly chat_template: string | readonly NamedTemplate[];
  readonly [key: string]: unknown;
}

export interface NamedTemplate {
  readonly name: string;
  readonly template: string;
}

/** The files of a tokenizer, parsed: `config` with what other files add to it or put in its place. */
export interface TokenizerFiles {
  readonly tokenizer: TokenizerJson;
  readonly config: TokenizerConfigJson;
}
