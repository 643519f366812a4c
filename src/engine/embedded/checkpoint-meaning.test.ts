/** What changes the meaning of weights, tokens or templates: file by file and key by key, read or refused. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { escapeRegExp } from "../chat.ts";
import { readTokenizer } from "../tokenizer-reading.ts";
import { trainTokenizer } from "../tokenizer-training.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { createEmbeddedModel, loadEmbeddedModel } from "./embedded-model.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

const tokenizer = trainTokenizer({ texts: ["def add(xs):\n"], phrases: [], vocabularySize: 260 });
const config = {
  vocabularySize: 264,
  hiddenSize: 8,
  layerCount: 2,
  headCount: 2,
  keyValueHeadCount: 1,
  intermediateSize: 8,
  contextLength: 16,
  tieEmbeddings: true,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};

let root: string;
let base: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "mucode-meaning-"));
  base = join(root, "base");
  const model = await createEmbeddedModel({ config, tokenizer, seed: 1, threads: 1 });
  await model.save(base);
  await model.close();
});
afterAll(() => rm(root, { recursive: true }));

/** Files to lay over those of a checkpoint: texts, bytes, or keys to change in a JSON file. */
type Patch = Readonly<Record<string, string | Uint8Array | object>>;

let copies = 0;
async function patched(from: string, patch: Patch): Promise<string> {
  const directory = join(root, `copy-${copies++}`);
  await cp(from, directory, { recursive: true });
  for (const [name, change] of Object.entries(patch)) {
    const file = join(directory, name);
    await mkdir(dirname(file), { recursive: true });
    const isWhole = typeof change === "string" || change instanceof Uint8Array;
    const before: object = isWhole ? {} : JSON.parse(await readFile(file, "utf8").catch(() => "{}"));
    await writeFile(file, isWhole ? change : JSON.stringify({ ...before, ...change }));
  }
  return directory;
}

async function refusalOf(directory: string): Promise<string> {
  const error: unknown = await readCheckpoint(directory).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConfigError);
  return (error as Error).message;
}

const USER = [{ role: "user", content: "a" }];
const [NEW, OLD] = ["new {{ messages[0].content }}", "old {{ messages[0].content }}"];

async function promptOf(directory: string): Promise<string> {
  const { tokenizer: opened } = await readCheckpoint(directory);
  const text = opened.decode(opened.encodeChat(USER, { addGenerationPrompt: true }));
  // Whoever reads the tokenizer alone reads the same.
  const alone = await readTokenizer(directory);
  expect(alone.decode(alone.encodeChat(USER, { addGenerationPrompt: true }))).toBe(text);
  return text;
}

/** The prompt of a checkpoint that opens, or what refuses it. */
const outcomeOf = (directory: string): Promise<string> =>
  promptOf(directory).catch((error: unknown) => {
    if (error instanceof ConfigError) return error.message;
    throw error;
  });
const wholly = (expected: RegExp | string): RegExp =>
  typeof expected === "string" ? new RegExp(`^${escapeRegExp(expected)}$`) : expected;

const asConfig = (chat_template: unknown): Patch => ({ "tokenizer_config.json": { chat_template } });
const named = (name: string, template: string) => ({ name, template });

describe("the chat template is that of", () => {
  const cases: Readonly<Record<string, [Patch, RegExp | string]>> = {
    "tokenizer_config.json": [asConfig(NEW), "new a"],
    "chat_template.jinja, whatever tokenizer_config.json says": [
      { ...asConfig(OLD), "chat_template.jinja": NEW },
      "new a",
    ],
    "tokenizer_config.json, whatever a processor's chat_template.json says": [
      { ...asConfig(NEW), "chat_template.json": { chat_template: OLD } },
      "new a",
    ],
    "chat_template.jinja, whatever chat_template.json says": [
      { ...asConfig(null), "chat_template.json": { chat_template: OLD }, "chat_template.jinja": NEW },
      "new a",
    ],
    "chat_template.json where there is no other": [
      { ...asConfig(null), "chat_template.json": { chat_template: NEW } },
      "new a",
    ],
    "the default of a list": [asConfig([named("tool_use", OLD), named("default", NEW)]), "new a"],
    "the default of several by name": [asConfig({ default: NEW, rag: OLD }), "new a"],
    "chat_template.jinja beside a folder of more": [
      { ...asConfig(OLD), "chat_template.jinja": NEW, "additional_chat_templates/tool_use.jinja": OLD },
      "new a",
    ],
    "the default of a folder": [
      { ...asConfig(OLD), "additional_chat_templates/default.jinja": NEW, "additional_chat_templates/rag.jinja": OLD },
      "new a",
    ],
    "none where the folder has no default, as in transformers": [
      { ...asConfig(NEW), "additional_chat_templates/rag.jinja": OLD },
      /chat_template is a choice of rag; expected/,
    ],
    "none where there is none": [asConfig(null), /chat_template is missing/],
    "none that changes contents": [
      { "chat_template.jinja": "{{ messages[0].content | upper }}" },
      /chat_template changes what stands in a message of role user/,
    ],
  };
  for (const [name, [patch, expected]] of Object.entries(cases)) {
    it(`${name}`, async () => {
      expect(await outcomeOf(await patched(base, patch))).toMatch(wholly(expected));
    });
  }

  it("the one that was read, once the checkpoint is written again", async () => {
    const list = [named("default", NEW), named("rag", OLD)];
    const directory = await patched(base, { ...asConfig(OLD), "chat_template.jinja": NEW });
    const several = await patched(base, asConfig(list));
    for (const from of [directory, several]) {
      const model = await loadEmbeddedModel({ directory: from, threads: 1 });
      await model.save(`${from}-again`);
      await model.close();
      expect(await promptOf(`${from}-again`)).toBe("new a");
    }
    const written = JSON.parse(await readFile(join(`${several}-again`, "tokenizer_config.json"), "utf8"));
    expect(written.chat_template).toEqual(list);
  });
});

const added = (...more: object[]): object => ({ added_tokens: [...tokenizer.tokenizer.added_tokens, ...more] });
const token = (id: number, content: string, changes: object = {}) => ({
  ...tokenizer.tokenizer.added_tokens[0]!,
  id,
  content,
  ...changes,
});
const sequence = (...normalizers: unknown[]) => ({ type: "Sequence", normalizers });
const steps = tokenizer.tokenizer.pre_tokenizer.pretokenizers;
const BOS = "{{ bos_token }}{{ messages[0].content }}";

describe("keys of the tokenizer's files", () => {
  const end = tokenizer.tokenizer.added_tokens.find(({ content }) => content === "<|end|>")!;
  const cases: Readonly<Record<string, [Patch, RegExp | string]>> = {
    "a normalizer of no steps": [{ "tokenizer.json": { normalizer: sequence() } }, "<|user|>a<|assistant|>"],
    "no normalizer, in sequences": [
      { "tokenizer.json": { normalizer: sequence(sequence(), sequence()) } },
      "<|user|>a<|assistant|>",
    ],
    "NFC in a sequence": [
      { "tokenizer.json": { normalizer: sequence(sequence({ type: "NFC" })) } },
      "<|user|>a<|assistant|>",
    ],
    "another normalizer in a sequence": [
      { "tokenizer.json": { normalizer: sequence({ type: "NFC" }, { type: "Lowercase" }) } },
      /tokenizer\.json: normalizer 1 is \{"type":"Lowercase"\}; expected null or NFC/,
    ],
    "a prepended character": [
      { "tokenizer.json": { normalizer: { type: "Prepend", prepend: "_" } } },
      /normalizer is .*Prepend/,
    ],
    "a sequence without a list": [
      { "tokenizer.json": { normalizer: { type: "Sequence" } } },
      /normalizer\.normalizers is missing/,
    ],
    "pre-tokenizers in a sequence within": [
      {
        "tokenizer.json": {
          pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Sequence", pretokenizers: steps }] },
        },
      },
      "<|user|>a<|assistant|>",
    ],
    "bytes made twice": [
      { "tokenizer.json": { pre_tokenizer: { type: "Sequence", pretokenizers: [...steps, ...steps] } } },
      /pre_tokenizer 1 is .*; expected ByteLevel as the last step alone/,
    ],
    "a space before every text": [
      { "tokenizer.json": { pre_tokenizer: { type: "ByteLevel", add_prefix_space: true, use_regex: true } } },
      /pre_tokenizer\.add_prefix_space is true; expected false/,
    ],
    "a decoder in a sequence": [
      { "tokenizer.json": { decoder: { type: "Sequence", decoders: [{ type: "ByteLevel" }] } } },
      "<|user|>a<|assistant|>",
    ],
    "another decoder": [
      { "tokenizer.json": { decoder: { type: "Metaspace" } } },
      /decoder is .*Metaspace.*; expected ByteLevel/,
    ],
    "no decoder": [{ "tokenizer.json": { decoder: null } }, /decoder is null; expected ByteLevel/],
    "what is done to texts outside of conversations": [
      {
        "tokenizer.json": {
          truncation: { max_length: 1 },
          padding: { strategy: { Fixed: 9 } },
          post_processor: { type: "TemplateProcessing" },
        },
      },
      "<|user|>a<|assistant|>",
    ],
    "a token without a name": [
      { "tokenizer.json": added(token(261, "")) },
      /added_tokens is .*; expected a content of one/,
    ],
    "a token with two numbers": [
      { "tokenizer.json": added(token(261, "a")) },
      /added_tokens is .*; expected the id \d+, as in/,
    ],
    "a token that is an ordinary text": [
      { "tokenizer.json": added(token(260, "    ", { special: false })) },
      /added_tokens is .*; expected special tokens, or names in brackets/,
    ],
    "a token that is a name in brackets": [
      { "tokenizer.json": added(token(260, "<tool_call>", { special: false })) },
      "<|user|>a<|assistant|>",
    ],
    "a flag that is none": [
      { "tokenizer.json": added(token(260, "<b>", { lstrip: 1 })) },
      /expected lstrip to be true or false/,
    ],
    "special tokens as text": [
      { "tokenizer_config.json": { split_special_tokens: true } },
      /split_special_tokens is true; expected false/,
    ],
    "several files by version": [
      { "tokenizer_config.json": { fast_tokenizer_files: ["tokenizer.4.json", "tokenizer.json"] } },
      /fast_tokenizer_files is \["tokenizer\.4\.json","tokenizer\.json"\]; expected it to be left out/,
    ],
    "a first token as an object": [
      { "tokenizer_config.json": { bos_token: { content: "<|pad|>" }, chat_template: BOS } },
      "<|pad|>a",
    ],
    "a first token that is null": [{ "tokenizer_config.json": { bos_token: null, chat_template: BOS } }, "a"],
    "a first token by the older file": [
      { ...asConfig(BOS), "special_tokens_map.json": { bos_token: { content: "<|pad|>" } } },
      "<|pad|>a",
    ],
    "a list of tokens by the older file": [
      { "special_tokens_map.json": { additional_special_tokens: [{ content: "<|pad|>" }] } },
      "<|user|>a<|assistant|>",
    ],
    "an older file that a newer key replaces": [
      {
        "tokenizer_config.json": { bos_token: "<|user|>", chat_template: BOS, added_tokens_decoder: {} },
        "special_tokens_map.json": { bos_token: "<|pad|>" },
        "added_tokens.json": { "<other>": 261 },
      },
      "<|user|>a",
    ],
    "a first token that is none, but is not written": [
      { "tokenizer_config.json": { bos_token: "<s>" } },
      "<|user|>a<|assistant|>",
    ],
    "a first token that is none, and is written": [
      { "tokenizer_config.json": { bos_token: "<s>", chat_template: BOS } },
      /bos_token names <s>, which the chat template writes; expected one of added_tokens/,
    ],
    "a token of the model's own": [
      {
        "tokenizer_config.json": {
          image_token: "<|pad|>",
          chat_template: "{{ image_token }}{{ messages[0].content }}",
        },
      },
      "<|pad|>a",
    ],
    "more tokens by name": [
      {
        "tokenizer_config.json": {
          extra_special_tokens: { x_token: "<|pad|>" },
          chat_template: "{{ x_token }}{{ messages[0].content }}",
        },
      },
      "<|pad|>a",
    ],
    "more tokens that are none, and are written": [
      { "tokenizer_config.json": { additional_special_tokens: ["<x>"], chat_template: `<x>${NEW}` } },
      /additional_special_tokens names <x>, which the chat template writes/,
    ],
    "a token with another flag than in tokenizer.json": [
      { "tokenizer_config.json": { added_tokens_decoder: { [end.id]: { ...end, lstrip: true } } } },
      /added_tokens_decoder\.\d+\.lstrip is true; expected false, as in tokenizer\.json/,
    ],
    "a token with another number than in tokenizer.json": [
      { "tokenizer_config.json": { added_tokens_decoder: { 261: end } } },
      /added_tokens_decoder\.261 is "<\|end\|>"; expected <\|end\|> at \d+, as in tokenizer\.json/,
    ],
    "tokens of the older file that tokenizer.json has": [
      { "added_tokens.json": { "<|end|>": end.id } },
      "<|user|>a<|assistant|>",
    ],
    "tokens of the older file that it has not": [
      { "added_tokens.json": { "<x>": 261 } },
      /added_tokens\.json: <x> is 261; expected one of added_tokens in tokenizer\.json/,
    ],
  };
  for (const [name, [patch, expected]] of Object.entries(cases)) {
    it(`${name}: ${typeof expected === "string" ? "read" : "refused"}`, async () => {
      expect(await outcomeOf(await patched(base, patch))).toMatch(wholly(expected));
    });
  }
});

describe("the token that ends a text", () => {
  const cases: Readonly<Record<string, [Patch, number[]]>> = {
    "is the tokenizer's": [{}, [1]],
    "is the tokenizer's, as an object": [{ "tokenizer_config.json": { eos_token: { content: "<|end|>" } } }, [1]],
    "is config.json's where the tokenizer has none": [{ "tokenizer_config.json": { eos_token: null } }, [1]],
    "is generation_config.json's before config.json's": [
      { "tokenizer_config.json": { eos_token: null }, "generation_config.json": { eos_token_id: [3, 2] } },
      [3, 1, 2],
    ],
    "is any of all three files": [
      { "config.json": { eos_token_id: [2] }, "generation_config.json": { eos_token_id: 3 } },
      [1, 2, 3],
    ],
  };
  for (const [name, [patch, expected]] of Object.entries(cases)) {
    it(`${name}`, async () => {
      const directory = await patched(base, patch);
      const { endTokens, tokenizer: opened } = await readCheckpoint(directory);
      expect(new Set(endTokens)).toEqual(new Set(expected));
      expect(opened.endToken).toBe(expected[0]);
      expect((await readTokenizer(directory)).endToken).toBe(expected[0]);
    });
  }

  const refused: Readonly<Record<string, [Patch, RegExp]>> = {
    "must be named somewhere": [
      { "tokenizer_config.json": { eos_token: null }, "config.json": { eos_token_id: null } },
      /eos_token is null; expected one of added_tokens, or an eos_token_id in generation_config\.json or config/,
    ],
    "must be there": [
      { "tokenizer_config.json": { eos_token: "</s>" } },
      /tokenizer_config\.json: eos_token is "<\/s>"; expected one of added_tokens/,
    ],
    "must be a text": [{ "tokenizer_config.json": { eos_token: 1 } }, /eos_token is 1; expected one of added_tokens/],
  };
  for (const [name, [patch, message]] of Object.entries(refused)) {
    it(`${name}`, async () => {
      expect(await refusalOf(await patched(base, patch))).toMatch(message);
    });
  }
});

it("an end token that the tokenizer does not name is that of the model, also once it is written again", async () => {
  const nameless = await patched(base, {
    "tokenizer_config.json": { eos_token: null },
    "config.json": { eos_token_id: 2 },
  });
  let directory = nameless;
  for (const round of [1, 2]) {
    const model = await loadEmbeddedModel({ directory, threads: round });
    expect(model.tokenizer.endToken).toBe(2);
    directory = `${nameless}-${round}`;
    await model.save(directory);
    await model.close();
  }
});

describe("a Git LFS pointer is named as one, and what to do", () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 4812345\n`;
  const files = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "additional_chat_templates/rag.jinja",
  ];
  for (const file of files) {
    it(`${file}`, async () => {
      const message = await refusalOf(await patched(base, { [file]: pointer }));
      expect(message).toContain(`${file}: is a Git LFS pointer`);
      expect(message).toContain("git lfs pull");
    });
  }

  it("chat_template.json, the index of weights and a shard of them", async () => {
    expect(await refusalOf(await patched(base, { ...asConfig(null), "chat_template.json": pointer }))).toMatch(
      /chat_template\.json: is a Git LFS pointer/,
    );
    const indexed = await patched(base, { "model.safetensors.index.json": pointer });
    await rm(join(indexed, "model.safetensors"));
    expect(await refusalOf(indexed)).toMatch(/model\.safetensors\.index\.json: is a Git LFS pointer/);
    const shard = "model-00001-of-00001.safetensors";
    const weight_map = { "model.norm.weight": shard };
    await writeFile(join(indexed, "model.safetensors.index.json"), JSON.stringify({ weight_map }));
    await writeFile(join(indexed, shard), pointer);
    expect(await refusalOf(indexed)).toMatch(/model-00001-of-00001\.safetensors: is a Git LFS pointer/);
  });
});

describe("keys of config.json", () => {
  const rope = { rope_type: "default", rope_theta: 500 };
  const read: Readonly<Record<string, [object, object]>> = {
    "the base of positions in rope_scaling comes before that in rope_parameters": [
      { rope_scaling: rope, rope_parameters: { rope_type: "default", rope_theta: 7 } },
      { ropeTheta: 500 },
    ],
    "of an empty rope_scaling rope_parameters are taken": [
      { rope_scaling: {}, rope_parameters: rope },
      { ropeTheta: 500 },
    ],
    "nothing is pruned, nothing compressed": [{ pruned_heads: {}, compression_config: null }, { headCount: 2 }],
    "what no class of transformers reads means nothing": [
      { some_new_key: 5, torch_dtype: "float16" },
      { headCount: 2 },
    ],
  };
  for (const [name, [changes, expected]] of Object.entries(read)) {
    it(`${name}`, async () => {
      const { config: found } = await readCheckpoint(await patched(base, { "config.json": changes }));
      expect(found).toMatchObject(expected);
    });
  }

  const refused: readonly [object, RegExp][] = [
    [
      { rope_parameters: { full_attention: rope } },
      /rope_parameters\.full_attention is .*; expected a number or a text/,
    ],
    [{ rope_scaling: { type: "linear", factor: 2 } }, /rope_scaling is .*linear.*; expected null, or rope_type/],
    [{ rope_scaling: 2 }, /rope_scaling is 2; expected an object/],
    [{ pruned_heads: { 0: [1] } }, /pruned_heads is .*; expected none/],
    [{ compression_config: { bits: 4 } }, /compression_config is .*; expected none/],
    [{ quantization_config: { bits: 4 } }, /quantization_config is .*; expected none/],
    [{ hidden_act: "gelu" }, /hidden_act is "gelu"; expected "silu"/],
    // Where the number is left out each class has its own: 8, and 32 of Qwen's, which these two heads are not.
    [
      {
        model_type: "mistral",
        architectures: ["MistralForCausalLM"],
        sliding_window: null,
        num_key_value_heads: undefined,
      },
      /keyValueHeadCount is 8/,
    ],
    [
      { model_type: "qwen2", architectures: ["Qwen2ForCausalLM"], num_key_value_heads: undefined },
      /keyValueHeadCount is 32/,
    ],
  ];
  for (const [changes, message] of refused) {
    it(`${JSON.stringify(changes)} is refused`, async () => {
      expect(await refusalOf(await patched(base, { "config.json": changes }))).toMatch(message);
    });
  }

  it("tied embeddings with a head that is stored: read where it is the embedding, else refused", async () => {
    const { tensors } = decodeSafetensors(await readFile(join(base, "model.safetensors")), "f");
    const embedding = tensors.get("model.embed_tokens.weight")!;
    const withHead = (data: Float32Array): Patch => ({
      "model.safetensors": encodeSafetensors({
        metadata: { format: "pt" },
        tensors: new Map([...tensors, ["lm_head.weight", { shape: embedding.shape, data }]]),
      }),
    });
    await readCheckpoint(await patched(base, withHead(embedding.data)));
    const other = embedding.data.slice();
    other[other.length - 1]! += 1;
    expect(await refusalOf(await patched(base, withHead(other)))).toMatch(
      /lm_head\.weight is not the embedding, and tie_word_embeddings in config\.json is true/,
    );
  });
});
