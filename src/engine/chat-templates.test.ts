/** Chat templates of every kind: what they make of contents is what is encoded, or they are refused when opened. */
import { Template } from "@huggingface/jinja";
import * as fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ConfigError } from "../errors.ts";
import type { ChatMessage, Tokenizer } from "./engine.ts";
import type { AddedToken, TokenizerConfigJson, TokenizerFiles } from "./tokenizer-files.ts";
import { trainTokenizer } from "./tokenizer-training.ts";
import { loadTokenizer } from "./tokenizer.ts";

const files = trainTokenizer({ texts: ["def add(xs):\n    return sum(xs)\n"], phrases: [], vocabularySize: 280 });

/** The tokenizer with other control tokens' flags and another configuration. */
function open(config: object, flags: Readonly<Record<string, Partial<AddedToken>>> = {}): Tokenizer {
  const added_tokens = files.tokenizer.added_tokens.map((token) => ({ ...token, ...flags[token.content] }));
  const changed: TokenizerFiles = {
    tokenizer: { ...files.tokenizer, added_tokens },
    config: { ...files.config, ...config } as TokenizerConfigJson,
  };
  return loadTokenizer(changed);
}

const textOf = (tokenizer: Tokenizer, conversation: readonly ChatMessage[]): string =>
  tokenizer.decode(tokenizer.encodeChat(conversation, { addGenerationPrompt: true }));

/** A template that writes `content`, an expression of `m`, for every message. */
const eachMessage = (content: string): string =>
  `{% for m in messages %}{{ '<|' + m.role + '|>' + (${content}) + '<|end|>' }}{% endfor %}` +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });

describe("a template that changes contents is refused when opened", () => {
  const changes: Readonly<Record<string, string>> = {
    "as JSON": "m.content | tojson",
    "in capitals": "m.content | upper",
    "in small letters": "m.content.lower()",
    "in titles": "m.content | title",
    "with words replaced": "m.content | replace('system', 'it')",
    "without line breaks": "m.content.replace('\\n', ' ')",
    "without names of control tokens": "m.content.replace('<|end|>', '')",
    indented: "m.content | indent(2)",
    "as words": "m.content.split() | join(' ')",
    "cut short": "m.content[:10]",
    "escaped, which cannot be run": "m.content | e",
    "less line breaks at its ends": "m.content.strip('\\n')",
    "less what stands before a thought's end, in every message": "m.content.split('</think>')[-1]",
    "in one place of several": "m.content if loop.index0 != 2 else m.content | upper",
    "of one role": "m.content if m.role != 'system' else m.content | upper",
    "of an assistant": "m.content if m.role != 'assistant' else m.content | upper",
    "where they are of a certain kind": "m.content if '{{' not in m.content else 'code'",
  };
  for (const [name, content] of Object.entries(changes)) {
    it(`${name}`, () => {
      const chat_template = eachMessage(content);
      expect(() => open({ chat_template })).toThrow(ConfigError);
      expect(() => open({ chat_template })).toThrow(/chat_template .*; expected .*chat_template\.jinja/s);
    });
  }

  it("and where nothing of a kind was tried, when such a content comes", () => {
    const tokenizer = open({ chat_template: eachMessage("m.content if 'secret' not in m.content else 'hidden'") });
    expect(textOf(tokenizer, [user("plain")])).toBe("<|user|>plain<|end|><|assistant|>");
    const encode = (): string => textOf(tokenizer, [user("plain"), assistant("b"), user("a secret")]);
    expect(encode).toThrow(ConfigError);
    expect(encode).toThrow(/changes what stands in a message of role user: "a secret"/);
    expect(textOf(tokenizer, [user("plain")])).toBe("<|user|>plain<|end|><|assistant|>");
  });
});

describe("a template that puts contents in as they are, or trims them", () => {
  const expressions: Readonly<Record<string, (content: string) => string>> = {
    "m.content": (content) => content,
    "m['content']": (content) => content,
    "m.content | trim": (content) => content.trim(),
    "m.content.strip()": (content) => content.trim(),
    "m.content.lstrip()": (content) => content.trimStart(),
    "m.content.rstrip()": (content) => content.trimEnd(),
    "m.content + m.content": (content) => content + content,
    "m.content if m.content else 'nothing'": (content) => content || "nothing",
    "m.content if loop.last else ''": (content) => content,
  };
  const anyContent = fc
    .array(
      fc.oneof(fc.constantFrom("\n", " ", "\t", "</think>", "<|end|>", "{{ x }}"), fc.string({ unit: "grapheme" })),
    )
    .map((pieces) => pieces.join(""));

  for (const [expression, apply] of Object.entries(expressions)) {
    it(`gives what it renders: ${expression}`, () => {
      const tokenizer = open({ chat_template: eachMessage(expression) });
      fc.assert(
        // Python and JavaScript trim these differently.
        fc.property(
          anyContent.filter((content) => !/[\uFEFF\u0085]|\p{Cc}(?<![\t\n\r])/u.test(content)),
          (content) => {
            expect(textOf(tokenizer, [user(content)])).toBe(`<|user|>${apply(content)}<|end|><|assistant|>`);
          },
        ),
        { numRuns: 40 },
      );
    });
  }

  it("of messages left out, merged or put elsewhere gives what it renders", () => {
    const last = open({ chat_template: "<|user|>{{ messages[-1].content }}<|assistant|>" });
    expect(textOf(last, [user("a"), assistant("b"), user("c")])).toBe("<|user|>c<|assistant|>");
    const merged = open({
      chat_template: "<|user|>{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}<|assistant|>",
    });
    expect(textOf(merged, [user("a"), assistant("b")])).toBe("<|user|>user: a\nassistant: b\n<|assistant|>");
  });

  it("sees that there are no tools and no documents, as in transformers", () => {
    const asks = "{% if tools is defined %}d{% endif %}{% if tools is not none or documents is not none %}n{% endif %}";
    expect(textOf(open({ chat_template: asks + eachMessage("m.content") }), [])).toBe("d<|assistant|>");
  });

  it("takes roles with a comma for what they are", () => {
    const tokenizer = open({ chat_template: eachMessage("m.content") });
    expect(textOf(tokenizer, [{ role: "user,user", content: "a" }])).toBe("<|user,user|>a<|end|><|assistant|>");
    const two = textOf(tokenizer, [user("a"), user("b")]);
    expect(two).toBe("<|user|>a<|end|><|user|>b<|end|><|assistant|>");
  });

  describe("and names the day", () => {
    afterEach(() => vi.useRealTimers());
    it("names each day as it comes", () => {
      vi.useFakeTimers({ toFake: ["Date"], now: new Date(2026, 0, 31, 12) });
      const tokenizer = open({ chat_template: `{{ strftime_now('%d %b %Y') }}${eachMessage("m.content")}` });
      expect(textOf(tokenizer, [user("a")])).toBe("31 Jan 2026<|user|>a<|end|><|assistant|>");
      vi.setSystemTime(new Date(2026, 1, 1, 12));
      expect(textOf(tokenizer, [user("a")])).toBe("01 Feb 2026<|user|>a<|end|><|assistant|>");
    });
  });
});

describe("a template that leaves thoughts out of past answers", () => {
  const after = "m.content.split('</think>')[-1].lstrip('\\n')";
  const answer = `${after} if m.role == 'assistant' and '</think>' in m.content else m.content`;
  const tokenizer = open({ chat_template: eachMessage(answer) });
  const thought = "<think>\nLet me see.\n</think>\n\n    return 1 ";

  it("is followed, with white space before the answer kept", () => {
    const conversation = [user("</think> a"), assistant(thought), user("b")];
    expect(textOf(tokenizer, conversation)).toBe(
      "<|user|></think> a<|end|><|assistant|>    return 1 <|end|><|user|>b<|end|><|assistant|>",
    );
  });

  it("leaves answers without one as they are, and the one that is learned whole", () => {
    const plain = [user("a"), assistant("\treturn 1\n"), user("b")];
    expect(textOf(tokenizer, plain)).toContain("<|assistant|>\treturn 1\n<|end|>");
    const tokens = tokenizer.encodeChat([user("a"), assistant(thought)], { addGenerationPrompt: false });
    expect(tokenizer.decode(tokens)).toBe(`<|user|>a<|end|><|assistant|>${thought}<|end|>`);
  });

  it("that trims answers too is followed", () => {
    const both = open({
      chat_template: eachMessage("m.content.split('</think>')[-1] | trim if m.role == 'assistant' else m.content"),
    });
    const text = textOf(both, [user("a"), assistant("<think>b</think>\n c"), user("d")]);
    expect(text).toBe("<|user|>a<|end|><|assistant|>c<|end|><|user|>d<|end|><|assistant|>");
  });
});

describe("control tokens that take the white space beside them", () => {
  const spaced =
    "{% for m in messages %}{{ ' <|' + m.role + '|> ' + m.content + ' <|end|> \\n' }}{% endfor %}{{ '<|assistant|> ' }}";
  const conversation = [user(" a b "), assistant(" c "), user("d")];
  const all = (flag: Partial<AddedToken>) => ({ "<|user|>": flag, "<|assistant|>": flag, "<|end|>": flag });
  const cases: Readonly<Record<string, [Partial<AddedToken>, string]>> = {
    "on neither side": [
      {},
      " <|user|>  a b  <|end|> \n <|assistant|>  c  <|end|> \n <|user|> d <|end|> \n<|assistant|> ",
    ],
    // What an assistant wrote is left whole.
    "on the left": [{ lstrip: true }, "<|user|>  a b<|end|><|assistant|>  c <|end|><|user|> d<|end|><|assistant|> "],
    "on the right": [{ rstrip: true }, " <|user|>a b  <|end|><|assistant|> c  <|end|><|user|>d <|end|><|assistant|>"],
    "on both": [
      { lstrip: true, rstrip: true },
      "<|user|>a b<|end|><|assistant|> c <|end|><|user|>d<|end|><|assistant|>",
    ],
  };
  for (const [name, [flag, expected]] of Object.entries(cases)) {
    it(`${name}`, () => {
      const tokenizer = open({ chat_template: spaced }, all(flag));
      expect(textOf(tokenizer, conversation)).toBe(expected);
    });
  }

  it("that must be single words are refused where the template writes them", () => {
    const chat_template = eachMessage("m.content");
    expect(() => open({ chat_template }, { "<|end|>": { single_word: true } })).toThrow(
      /added_tokens: single_word of <\|end\|> is true, and the chat template writes it; expected false/,
    );
    const unused = open({ chat_template }, { "<|pad|>": { single_word: true, normalized: true } });
    expect(textOf(unused, [user("<|pad|>")])).toBe("<|user|><|pad|><|end|><|assistant|>");
  });
});

describe("of several templates", () => {
  const [first, second] = [eachMessage("m.content"), "OLD"];
  it("the one named default is taken", () => {
    const list = [
      { name: "tool_use", template: second },
      { name: "default", template: first },
    ];
    const expected = "<|user|>a<|end|><|assistant|>";
    expect(textOf(open({ chat_template: list }), [user("a")])).toBe(expected);
    expect(textOf(open({ chat_template: { default: first, tool_use: second } }), [user("a")])).toBe(expected);
    // Of two of one name transformers takes the last.
    expect(textOf(open({ chat_template: [{ name: "default", template: second }, ...list] }), [user("a")])).toBe(
      expected,
    );
  });

  const refused: Readonly<Record<string, [unknown, RegExp]>> = {
    "without a default": [[{ name: "rag", template: "x" }], /chat_template is a choice of rag; expected a Jinja/],
    "that are none": [[], /chat_template is a choice of none/],
    "that are no templates": [[5, null, {}], /chat_template is a choice of undefined, undefined/],
    "of which the default is no text": [{ default: 5 }, /chat_template is a choice of default/],
  };
  for (const [name, [chat_template, message]] of Object.entries(refused)) {
    it(`those ${name} are refused`, () => {
      expect(() => open({ chat_template })).toThrow(ConfigError);
      expect(() => open({ chat_template })).toThrow(message);
    });
  }
});

it("the interpreter trims otherwise of its own", () => {
  // Once this fails, the functions of template-interpreter.ts may go.
  expect(new Template("{{ ' a\\n'.strip('\\n') }}").render()).toBe("a");
});
