/** What the words behind an opening fence say of the block's language. */
import type { Language } from "../task.ts";

/** `code`: another programming language. `none`: not stated. `other`: shell, output, data or prose. */
export type BlockLanguage = Language | "markdown" | "code" | "other" | "none";

const NAMES: Readonly<Record<Exclude<BlockLanguage, "none">, string>> = {
  python:
    "python python2 python3 py py2 py3 ipython ipython3 python3.8 python3.9 python3.10 python3.11 python3.12 cpython",
  javascript: "javascript js jsx mjs cjs node nodejs ecmascript es6",
  markdown: "markdown md mdx",
  code:
    "typescript ts tsx c h cpp c++ cc cxx java go golang rust rs ruby rb php kotlin kt swift scala r julia jl perl pl lua " +
    "haskell hs csharp cs c# fsharp objc dart elixir erlang clojure lisp scheme racket ocaml pascal fortran cobol zig nim " +
    "groovy coffeescript vb matlab octave asm verilog solidity cython",
  other:
    "bash sh shell zsh fish console terminal shellsession shell-session cmd bat batch powershell ps1 dockerfile makefile " +
    "text txt plaintext plain output stdout stderr stdin input log json jsonc jsonl json5 yaml yml toml ini cfg csv tsv xml " +
    "html css scss sql diff patch latex tex math mermaid pycon python-repl pytb traceback doctest http graphql regex none",
};

const LANGUAGES = new Map<string, BlockLanguage>(
  Object.entries(NAMES).flatMap(([language, names]) =>
    names.split(" ").map((name) => [name, language as BlockLanguage] as const),
  ),
);

export interface InfoString {
  readonly language: BlockLanguage;
  /** What stands behind the language's name: attributes, a title, or the first line of the code. */
  readonly rest: string;
}

/** Reads `python`, `Python3 title="a.py"`, `{.python .numberLines}`, `python:a.py`, `language-js`, `a.py`. */
export function readInfoString(info: string): InfoString {
  const [, opening = "", word = "", rest = ""] = /^(\{?[ .]*)([^\s{},;:=()[\]"'`]*)(.*)$/.exec(info.trim()) ?? [];
  const name = word.toLowerCase().replace(/^(?:language|lang)-/, "");
  const language = LANGUAGES.get(name) ?? LANGUAGES.get(/[\w/-]\.(\w+)$/.exec(name)?.[1] ?? "");
  if (language === undefined) return { language: "none", rest: info.trim() };
  // Attributes in braces are never code, and neither is what is glued to the name.
  const isAttribute = opening !== "" || /^[^\s]/.test(rest) || rest.trim() === "";
  return { language, rest: isAttribute ? "" : rest.trim() };
}
