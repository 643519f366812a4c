/** Checkpoints that somebody has damaged, or made to do damage: refused as what they are, whatever was done to them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { trainTokenizer } from "../tokenizer-training.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { createEmbeddedModel, loadEmbeddedModel } from "./embedded-model.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

const tokenizer = trainTokenizer({ texts: ["def add(xs):\n"], phrases: [], vocabularySize: 260 });
const config = {
  vocabularySize: 260,
  hiddenSize: 8,
  layerCount: 1,
  headCount: 2,
  keyValueHeadCount: 1,
  intermediateSize: 8,
  contextLength: 16,
  tieEmbeddings: true,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
};

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), "mucode-fuzz-"));
  const model = await createEmbeddedModel({ config, tokenizer, seed: 1, threads: 1 });
  await model.save(place);
  await model.close();
});
afterAll(() => rm(place, { recursive: true }));

/** What was thrown, if anything was. */
async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
}

const FINE = "read or refused";

/** Read whole, or refused with a message that names the file and stays short; else what was thrown. */
function judge(error: unknown, file: string): unknown {
  const isRefusal = error instanceof ConfigError && error.message.includes(file) && error.message.length < 1500;
  return error === undefined || isRefusal ? FINE : error;
}

const small = encodeSafetensors({
  metadata: { format: "pt" },
  tensors: new Map([
    ["a", { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ["b.weight", { shape: [], data: Float32Array.of(-0.5) }],
    ["c", { shape: [0, 7], data: new Float32Array() }],
  ]),
});

/** One change to some bytes. */
const mutation = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), at: fc.nat(), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(), byte: fc.nat(40) }),
  fc.record({ kind: fc.constant("repeat" as const), at: fc.nat(), byte: fc.nat(40) }),
  fc.record({ kind: fc.constant("end" as const), at: fc.nat(), byte: fc.nat(255) }),
  // Digits, signs and brackets are where a header has its meaning.
  fc.record({
    kind: fc.constant("set" as const),
    at: fc.nat(400),
    byte: fc.constantFrom(...Buffer.from('0919-e{}[],":')),
  }),
);
type Mutation = { kind: "set" | "cut" | "repeat" | "end"; at: number; byte: number };

function mutate(bytes: Uint8Array, { kind, at, byte }: Mutation): Uint8Array {
  const start = at % Math.max(1, bytes.length);
  if (kind === "cut") return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + byte)]);
  if (kind === "end") return bytes.slice(0, start);
  if (kind === "repeat") return Buffer.concat([bytes.subarray(0, start + byte), bytes.subarray(start)]);
  const changed = bytes.slice();
  if (start < changed.length) changed[start] = byte;
  return changed;
}

describe("a damaged safetensors file", () => {
  it("is read or refused, and never gives more values than it has bytes for", () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        const bytes = mutations.reduce(mutate, small);
        let values = 0;
        let failure: unknown;
        try {
          const { tensors } = decodeSafetensors(bytes, "f.safetensors");
          for (const { data } of tensors.values()) values += data.length;
        } catch (error) {
          failure = error;
        }
        expect(judge(failure, "f.safetensors")).toBe(FINE);
        expect(values * 2).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 3000 },
    );
  });

  it("with any header that is JSON is read or refused", () => {
    const offsets = fc.array(fc.oneof(fc.integer({ min: -4, max: 40 }), fc.double()), { maxLength: 3 });
    const entry = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom("F32", "F16", "BF16", "F64", "__proto__"), fc.jsonValue()),
        shape: fc.oneof(offsets, fc.jsonValue()),
        data_offsets: fc.oneof(offsets, fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const name = fc.oneof(fc.constantFrom("a", "__metadata__", "__proto__", "constructor"), fc.string());
    const header = fc.oneof(fc.dictionary(name, fc.oneof(entry, fc.jsonValue())), fc.jsonValue());
    fc.assert(
      fc.property(header, fc.nat(24), (json, dataBytes) => {
        const text = new TextEncoder().encode(JSON.stringify(json));
        const bytes = new Uint8Array(8 + text.length + dataBytes);
        new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
        bytes.set(text, 8);
        let failure: unknown;
        try {
          decodeSafetensors(bytes, "f.safetensors");
        } catch (error) {
          failure = error;
        }
        expect(judge(failure, "f.safetensors")).toBe(FINE);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a checkpoint", () => {
  /** Opens the checkpoint with one file changed. */
  async function openWith(file: string, content: string | Uint8Array, directory = place): Promise<unknown> {
    const path = join(directory, file);
    const saved = await readFile(path);
    try {
      await writeFile(path, content);
      return await failureOf(() => readCheckpoint(directory));
    } finally {
      await writeFile(path, saved);
    }
  }

  it("whose weights are damaged on disk is opened or refused", async () => {
    const bytes = await readFile(join(place, "model.safetensors"));
    const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        const error = await openWith("model.safetensors", changes.reduce(mutate, bytes));
        expect(judge(error, "model.safetensors")).toBe(FINE);
      }),
      { numRuns: 60 },
    );
  });

  it("whose configuration says anything at all is opened or refused", async () => {
    const json = JSON.parse(await readFile(join(place, "config.json"), "utf8"));
    const value = fc.oneof(
      fc.jsonValue(),
      fc.integer(),
      fc.constantFrom(0, -1, 0.5, 1e9, 2 ** 53, 1e300, 2 ** 24, "llama", "qwen3", null, true, {}, []),
    );
    const key = fc.constantFrom(...Object.keys(json), "rope_scaling", "rope_parameters", "num_labels", "layer_types");
    await fc.assert(
      fc.asyncProperty(fc.dictionary(key, value, { minKeys: 1, maxKeys: 4 }), async (changes) => {
        const error = await openWith("config.json", JSON.stringify({ ...json, ...changes }));
        expect(judge(error, "")).toBe(FINE);
      }),
      { numRuns: 150 },
    );
  });

  it("that is an adapter, damaged or with a configuration that says anything at all, is opened or refused", async () => {
    const directory = join(place, "adapter");
    const lora = { rank: 2, alpha: 4, targets: ["q_proj", "down_proj"], seed: 1 } as const;
    const model = await loadEmbeddedModel({ directory: place, threads: 1, lora });
    await model.save(directory);
    await model.close();
    expect(await openWith("tokenizer.json", await readFile(join(directory, "tokenizer.json")), directory)).toBe(
      undefined,
    );
    const bytes = await readFile(join(directory, "adapter_model.safetensors"));
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (changes) => {
        const error = await openWith("adapter_model.safetensors", changes.reduce(mutate, bytes), directory);
        expect(judge(error, "adapter_model.safetensors")).toBe(FINE);
      }),
      { numRuns: 60 },
    );
    const json = JSON.parse(await readFile(join(directory, "adapter_config.json"), "utf8"));
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(0, -1, 0.5, 2, 2 ** 53 - 1, 1e300, "LORA", "..", "\0", null, true, {}, [], ["score"]),
    );
    const key = fc.constantFrom(...Object.keys(json), "rank_pattern", "target_parameters", "use_qalora");
    await fc.assert(
      fc.asyncProperty(fc.dictionary(key, value, { minKeys: 1, maxKeys: 3 }), async (changes) => {
        const error = await openWith("adapter_config.json", JSON.stringify({ ...json, ...changes }), directory);
        expect(judge(error, "adapter")).toBe(FINE);
      }),
      { numRuns: 150 },
    );
  });

  it("whose tokenizer says anything at all is opened or refused", async () => {
    const json = JSON.parse(await readFile(join(place, "tokenizer.json"), "utf8"));
    const key = fc.constantFrom(...Object.keys(json), ...Object.keys(json.model).map((name) => `model.${name}`));
    await fc.assert(
      fc.asyncProperty(
        key,
        fc.oneof(fc.jsonValue(), fc.constantFrom([{}], { type: "Sequence" })),
        async (name, value) => {
          const [outer, inner] = name.split(".") as [string, string?];
          const changed = inner === undefined ? value : { ...json[outer], [inner]: value };
          const error = await openWith("tokenizer.json", JSON.stringify({ ...json, [outer]: changed }));
          const isRefusal = error === undefined || error instanceof ConfigError;
          expect(isRefusal ? "opened or refused" : error).toBe("opened or refused");
        },
      ),
      { numRuns: 150 },
    );
  });

  it("whose tokenizer's configuration says anything at all is opened or refused", async () => {
    const json = JSON.parse(await readFile(join(place, "tokenizer_config.json"), "utf8"));
    const others = ["bos_token", "added_tokens_decoder", "extra_special_tokens", "additional_special_tokens"];
    const more = ["split_special_tokens", "fast_tokenizer_files", "x_token"];
    const key = fc.constantFrom(...Object.keys(json), ...others, ...more);
    const template = fc.constantFrom("{{ x_token }}", "{{ messages[5].content }}", "{% for", "{{ 1 | y }}", {
      default: "",
    });
    const token = fc.constantFrom(
      { content: "<|end|>" },
      [{ content: 5 }],
      { 1: { content: "<|end|>" } },
      { true: "<|end|>" },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(key, fc.oneof(fc.jsonValue(), template, token), { minKeys: 1 }),
        async (changes) => {
          const error = await openWith("tokenizer_config.json", JSON.stringify({ ...json, ...changes }));
          expect(judge(error, "")).toBe(FINE);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("whose index names files elsewhere, or what is not in them, is refused", async () => {
    const bytes = await readFile(join(place, "model.safetensors"));
    const names = [...decodeSafetensors(bytes, "f").tensors.keys()];
    const shard = "model-00001-of-00001.safetensors";
    const whole = Object.fromEntries(names.map((name) => [name, shard]));
    const index = join(place, "model.safetensors.index.json");
    await rm(join(place, "model.safetensors"));
    await writeFile(join(place, shard), bytes);
    const cases: [unknown, RegExp][] = [
      [
        { ...whole, [names[0]!]: "../other.safetensors" },
        /weight_map\.\S+ is "\.\.\/other.*the name of a \.safetensors/,
      ],
      [{ ...whole, [names[0]!]: "/etc/passwd" }, /weight_map\.\S+ is "\/etc\/passwd"/],
      [{ ...whole, more: shard }, /model-00001-of-00001\.safetensors: more is missing, but there by/],
      [Object.fromEntries(Object.entries(whole).slice(1)), /embed_tokens\.weight is there, but in no file by/],
      [{ ...whole, more: "absent.safetensors" }, /absent\.safetensors: cannot be read/],
      [[], /weight_map is \[\]; expected an object/],
    ];
    try {
      for (const [weight_map, message] of cases) {
        await writeFile(index, JSON.stringify({ weight_map }));
        const error = await failureOf(() => readCheckpoint(place));
        expect(error).toBeInstanceOf(ConfigError);
        expect(String(error)).toMatch(message);
      }
      await writeFile(index, JSON.stringify({ metadata: {}, weight_map: whole }));
      expect(await failureOf(() => readCheckpoint(place))).toBeUndefined();
    } finally {
      await writeFile(join(place, "model.safetensors"), bytes);
      await rm(index);
    }
  });

  it("of PyTorch's own kind is refused unread, as it is a program", async () => {
    const bytes = await readFile(join(place, "model.safetensors"));
    await rm(join(place, "model.safetensors"));
    await writeFile(join(place, "pytorch_model.bin"), "boom");
    try {
      await expect(readCheckpoint(place)).rejects.toThrow(/pytorch_model\.bin is a program/);
    } finally {
      await writeFile(join(place, "model.safetensors"), bytes);
      await rm(join(place, "pytorch_model.bin"));
    }
  });

  it("that does not fit into memory is refused before any is taken", async () => {
    await expect(readCheckpoint(place, { memoryLimitBytes: 1000 })).rejects.toThrow(
      /its weights take 0\.00 GB in float32, and there are 0\.00 GB of memory; take a smaller model/,
    );
  });
});
