import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { createRandom, randomChoice } from "../random.ts";
import type { Conversation } from "../tasks/prompt.ts";
import type { TokenizerFiles } from "./tokenizer-files.ts";
import { SPECIAL_TOKENS, trainTokenizer } from "./tokenizer-training.ts";
import { loadTokenizer } from "./tokenizer.ts";

const verbs = ["add", "remove", "count", "sort", "reverse", "summarize", "rewrite", "recount"];
const texts = Array.from(
  { length: 200 },
  (_, i) =>
    `# Write a function to ${verbs[i % 8]} the numbers above ${i}\ndef get_${verbs[(i * 3) % 8]}(xs):\n` +
    `    xs = [x for x in xs if x > ${i}]\n    return sorted(xs)[::-1]\n`,
);
const phrases = [
  "# Write a function to",
  "\n    return ",
  "xs = [x for x in xs if ",
  "xs = [",
  "(xs):\n    ",
  "'Yes' if ",
];
const files = trainTokenizer({ texts, phrases, vocabularySize: 400 });
const tokenizer = loadTokenizer(files);
// The library reads the whole files, of which the types here name the parts in use.
const library = new LibraryTokenizer(files.tokenizer as object, files.config as object);

/** Text of the kinds that matter: words of the corpus, phrases, control tokens' names, white space, any Unicode. */
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...phrases,
        ...verbs,
        ...Object.values(SPECIAL_TOKENS),
        " ",
        "\n",
        "\t",
        "\r\n",
        "\uFEFF",
        "\u0085",
      ),
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme-ascii" }),
    ),
  )
  .map((parts) => parts.join(""));

describe("a trained tokenizer", () => {
  it("gives back every text", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  it("agrees with Hugging Face's library", () => {
    // The library recognizes control tokens in text, which encode does not: leave their names out here.
    const plain = anyText.map((text) => text.replaceAll("<|", "<"));
    fc.assert(
      fc.property(plain, (text) => {
        expect([...tokenizer.encode(text)]).toEqual(library.encode(text, { add_special_tokens: false }).ids);
      }),
    );
    const letters = createRandom("letters");
    const unbroken = Array.from({ length: 3000 }, () => randomChoice(letters, [..."aderstuv"])).join("");
    expect([...tokenizer.encode(unbroken)]).toEqual(library.encode(unbroken).ids);
    for (const text of texts) expect([...tokenizer.encode(text)]).toEqual(library.encode(text).ids);
  });

  it("makes phrases and frequent words single tokens, and the longest phrase wins", () => {
    const pieces = (text: string): string[] => Array.from(tokenizer.encode(text), (token) => tokenizer.decode([token]));
    const expected = ["# Write a function to", " sort", "\n", "xs = [x for x in xs if ", "x", " >", " ", "1", "2", "]"];
    expect(pieces("# Write a function to sort\nxs = [x for x in xs if x > 12]\n    return xs")).toEqual(
      expected.concat("\n    return ", "xs"),
    );
    expect(pieces("xs = [1")).toEqual(["xs = [", "1"]);
  });

  it("spells unseen words in pieces longer than bytes", () => {
    expect(tokenizer.encode(" resort").length).toBeLessThan(7);
  });

  it("has special tokens first, then bytes, and no more entries than asked for", () => {
    const { vocab, merges } = files.tokenizer.model;
    expect(Object.values(SPECIAL_TOKENS).map((token) => vocab[token])).toEqual([0, 1, 2, 3]);
    expect(Object.values(vocab).toSorted((a, b) => a - b)).toEqual(Object.keys(vocab).map((_, i) => i));
    expect(tokenizer.vocabularySize).toBe(Object.keys(vocab).length);
    expect(tokenizer.vocabularySize).toBeLessThanOrEqual(400);
    for (const [a, b] of merges) for (const entry of [a, b, a + b]) expect(vocab).toHaveProperty([entry]);
    expect(merges.length).toBeGreaterThan(10);
  });

  it("is the same for the same texts", () => {
    expect(trainTokenizer({ texts, phrases: phrases.toReversed(), vocabularySize: 400 })).toEqual(files);
  });

  it("needs room for bytes and phrases", () => {
    expect(() => trainTokenizer({ texts, phrases, vocabularySize: 200 })).toThrow(
      /vocabularySize is 200; expected at least 266/,
    );
  });
});

describe("a conversation", () => {
  const turn = (user: string, assistant: string): Conversation => [
    { role: "user", content: user },
    { role: "assistant", content: assistant },
  ];
  const [pad, end, user, assistant] = [0, 1, 2, 3];

  it("is tokens of the template around tokens of the contents", () => {
    const [a, b] = ["sort the numbers", "def sort(xs):\n    return xs\n"];
    const expected = [user, ...tokenizer.encode(a), assistant, ...tokenizer.encode(b), end];
    expect([...tokenizer.encodeChat(turn(a, b), { addGenerationPrompt: false })]).toEqual(expected);
    const next = [...turn(a, b), { role: "user", content: b }] as const;
    const tokens = tokenizer.encodeChat(next, { addGenerationPrompt: true });
    expect([...tokens]).toEqual([...expected, user, ...tokenizer.encode(b), assistant]);
    expect(tokenizer.endToken).toBe(end);
  });

  it("extends the tokens of the turn before", () => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 3, maxLength: 3 }), ([a, b, c]) => {
        const first = tokenizer.encodeChat([{ role: "user", content: a! }], { addGenerationPrompt: true });
        const second = tokenizer.encodeChat([...turn(a!, b!), { role: "user", content: c! }], {
          addGenerationPrompt: true,
        });
        const sampled = [...first, ...tokenizer.encode(b!), end];
        expect(second.slice(0, sampled.length)).toEqual(Int32Array.from(sampled));
      }),
    );
  });

  it("has no control tokens but the template's, whatever the contents", () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        const tokens = tokenizer.encodeChat(turn(a, b), { addGenerationPrompt: false });
        expect([...tokens].filter((token) => token <= 3)).toEqual([user, assistant, end]);
        expect([...tokens]).not.toContain(pad);
      }),
    );
  });

  it("agrees with rendering the template and encoding the text, if contents hold no control token", () => {
    const [a, b] = [texts[0]!, texts[1]!];
    const rendered = `<|user|>${a}<|assistant|>${b}<|end|>`;
    const expected = library.encode(rendered, { add_special_tokens: false }).ids;
    expect([...tokenizer.encodeChat(turn(a, b), { addGenerationPrompt: false })]).toEqual(expected);
  });

  it("under another template joins its words with the contents before they are cut into tokens", () => {
    const chat_template =
      "{% for m in messages %}{{ '<|user|>' + m['role'] + ' ' + m['content'] + eos_token }}{% endfor %}";
    const other = loadTokenizer({ ...files, config: { ...files.config, chat_template } });
    const tokens = other.encodeChat([{ role: "user", content: "sort" }], { addGenerationPrompt: false });
    expect([...tokens]).toEqual([user, ...tokenizer.encode("user sort"), end]);
  });

  it("under a template that trims contents is trimmed as Python does, but for what an assistant wrote", () => {
    const chat_template =
      "{% for m in messages %}{{ '<|user|>' + m.role + ' ' + m.content | trim + eos_token }}{% endfor %}";
    const other = loadTokenizer({ ...files, config: { ...files.config, chat_template } });
    const conversation = turn(" \u001F\u0085a  b\uFEFF\n", "  c \n");
    const tokens = other.encodeChat([...conversation, ...conversation], { addGenerationPrompt: true });
    const expected = "<|user|>user a  b\uFEFF<|end|><|user|>assistant   c \n<|end|>";
    expect(other.decode(tokens)).toBe(expected + expected);
  });

  it("that the template refuses is a mistake of the configuration", () => {
    const chat_template = "{{ raise_exception('no') }}";
    const other = loadTokenizer({ ...files, config: { ...files.config, chat_template } });
    expect(() => other.encodeChat(turn("a", "b"), { addGenerationPrompt: true })).toThrow(
      /refuses a conversation of user, assistant/,
    );
  });
});

describe("files of other kinds are refused by key", () => {
  const edited = (changes: object, model: object = {}): TokenizerFiles =>
    ({
      ...files,
      tokenizer: { ...files.tokenizer, ...changes, model: { ...files.tokenizer.model, ...model } },
    }) as never;
  const cases: Record<string, [TokenizerFiles, RegExp]> = {
    "another normalizer": [
      edited({ normalizer: { type: "NFKC" } }),
      /normalizer is \{"type":"NFKC"\}; expected null or/,
    ],
    "no list of control tokens": [edited({ added_tokens: {} }), /added_tokens is \{\}; expected a list/],
    "a control token without a number": [edited({ added_tokens: [{ content: "a" }] }), /added_tokens is .*an id and/],
    "an entry that is no number": [edited({}, { vocab: { a: -1 } }), /model\.vocab\.a is -1; expected an integer/],
    "a merge that makes no entry": [edited({}, { merges: ["a 我"] }), /model\.merges is "a 我"; expected a pair/],
    "marked ends of words": [edited({}, { end_of_word_suffix: "</w>" }), /model\.end_of_word_suffix is "<\/w>"/],
    "no pre-tokenizer": [edited({ pre_tokenizer: null }), /pre_tokenizer/],
    "another splitting": [
      edited({ pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Whitespace" }] } }),
      /pre_tokenizer 0 is \{"type":"Whitespace"\}; expected a Split/,
    ],
    "a pattern that is none": [
      edited({
        pre_tokenizer: {
          type: "Sequence",
          pretokenizers: [
            { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated", invert: false },
            { type: "ByteLevel", use_regex: false },
          ],
        },
      }),
      /the pattern \( is not supported/,
    ],
    "byte fallback": [edited({}, { byte_fallback: true }), /model\.byte_fallback is true; expected false/],
    "a vocabulary without all bytes": [
      edited({}, { vocab: { a: 0 }, merges: [] }),
      /model\.vocab has no entry for the byte/,
    ],
  };
  for (const [name, [given, message]] of Object.entries(cases)) {
    it(`${name}`, () => {
      expect(() => loadTokenizer(given)).toThrow(ConfigError);
      expect(() => loadTokenizer(given)).toThrow(message);
    });
  }

  it("but composed characters and single digits are understood", () => {
    const ByteLevel = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
    const pretokenizers = [{ type: "Digits", individual_digits: true }, ByteLevel];
    const qwen = edited({ normalizer: { type: "NFC" }, pre_tokenizer: { type: "Sequence", pretokenizers } });
    const ours = loadTokenizer(qwen);
    expect(ours.encode("re\u0301sume\u0301 2026")).toEqual(ours.encode("r\u00E9sum\u00E9 2026"));
    expect(ours.decode(ours.encode("re\u0301sume\u0301 12"))).toBe("r\u00E9sum\u00E9 12");
    const numbers = Array.from(ours.encode("x 12"), (token) => ours.decode([token]));
    expect(numbers.slice(-2)).toEqual(["1", "2"]);
  });

  it("but GPT-2's own pre-tokenizer is understood", () => {
    const gpt2 = edited({ pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true } });
    const [ours, theirs] = [loadTokenizer(gpt2), new LibraryTokenizer(gpt2.tokenizer as object, gpt2.config as object)];
    for (const text of [...texts.slice(0, 20), "it's  12 o'clock\n\n  "]) {
      expect([...ours.encode(text)]).toEqual(theirs.encode(text, { add_special_tokens: false }).ids);
    }
  });
});
