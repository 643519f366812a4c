import { describe, expect, it } from "vitest";
import { createPreTokenizer } from "./byte-level-bpe.ts";
import { translateSplitPattern } from "./split-pattern.ts";

/** The patterns that models' tokenizers have; Qwen's takes digits one by one. */
const pattern = (digits: string): string =>
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*` +
  String.raw`|\s*[\r\n]+|\s+(?!\S)|\s+`;

describe("a split pattern", () => {
  // What the library `tokenizers` makes of it: white space and letters that JavaScript's own classes get wrong.
  const text = "It'S 12345\u0085x'\u017F \uFEFFif\u00A0a:\r\n\t\treturn  y\u00B2\n";
  const after = [
    "\u0085x",
    "'\u017F",
    " \uFEFF",
    "if",
    "\u00A0a",
    ":\r\n",
    "\t",
    "\treturn",
    " ",
    " y",
    "\u00B2",
    "\n",
  ];

  it("of Llama 3 cuts text as its library does", () => {
    const pieces = createPreTokenizer([pattern(String.raw`\p{N}{1,3}`)])(text);
    expect(pieces).toEqual(["It", "'S", " ", "123", "45", ...after]);
  });

  it("of Qwen cuts text as its library does", () => {
    const pieces = createPreTokenizer([pattern(String.raw`\p{N}`)])(text);
    expect(pieces).toEqual(["It", "'S", " ", "1", "2", "3", "4", "5", ...after]);
  });

  it("keeps what means the same, and drops needless escapes", () => {
    expect(translateSplitPattern(String.raw`(?<=a)(b|\[)+?[^\]\-x]{2,}(?<!\n)\'\.`)).toBe(
      String.raw`(?<=a)(b|\[)+?[^\]\-x]{2,}(?<!\n)'\.`,
    );
    expect(translateSplitPattern(String.raw`(?i:a(?:s|1))s.\d[\D]`)).toBe(
      String.raw`(?:[aA](?:[sSſ]|1))s[^\n]\p{Nd}[\P{Nd}]`,
    );
  });

  const refused = [
    "[[:alpha:]]",
    "[a&&b]",
    "[]a]",
    "[^]",
    "^a",
    "a$",
    String.raw`\w+`,
    String.raw`a\b`,
    String.raw`\h`,
    "(?>a)",
    "(?x)a",
    "(?i:[a-z])",
    "(?i:é)",
    "a\\",
  ];
  it.each(refused)("with %s, which would mean something else, is refused", (given) => {
    expect(() => translateSplitPattern(given)).toThrow(/is not supported in the pattern/);
  });
});
