/** Every key of PEFT's `adapter_config.json`: read, harmless or refused. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { trainTokenizer } from "../tokenizer-training.ts";
import { describeAdapter } from "./adapter-files.ts";
import { readAdapterSettings } from "./adapter-settings.ts";
import { createEmbeddedModel, loadEmbeddedModel } from "./embedded-model.ts";

/** As PEFT 0.21 writes it. */
const plain = {
  alora_invocation_tokens: null,
  alpha_pattern: {},
  arrow_config: null,
  auto_mapping: null,
  base_model_name_or_path: "base",
  bias: "none",
  corda_config: null,
  ensure_weight_tying: false,
  eva_config: null,
  exclude_modules: null,
  fan_in_fan_out: false,
  inference_mode: true,
  init_lora_weights: true,
  kasa_config: null,
  layer_replication: null,
  layers_pattern: null,
  layers_to_transform: null,
  loftq_config: {},
  lora_alpha: 4,
  lora_bias: false,
  lora_dropout: 0.0,
  lora_ga_config: null,
  megatron_config: null,
  megatron_core: "megatron.core",
  modules_to_save: null,
  monteclora_config: null,
  peft_type: "LORA",
  peft_version: "0.21.0",
  qalora_group_size: 16,
  r: 2,
  rank_pattern: {},
  revision: null,
  target_modules: ["q_proj"],
  target_parameters: null,
  task_type: "CAUSAL_LM",
  trainable_token_indices: null,
  use_bdlora: null,
  use_dora: false,
  use_qalora: false,
  use_rslora: false,
  velora_config: null,
};
const q = (layer: number): string => `model.layers.${layer}.self_attn.q_proj`;
const read = (changes: object) => readAdapterSettings({ ...plain, ...changes }, "adapter_config.json");

describe("keys that change nothing of a trained adapter are passed over", () => {
  const harmless: readonly object[] = [
    {},
    { auto_mapping: { parent_library: "x" }, inference_mode: false, lora_dropout: 0.1, revision: "main" },
    { megatron_core: "other", qalora_group_size: 8, peft_version: "0.4.0", runtime_config: { x: 1 } },
    { init_lora_weights: false },
    { init_lora_weights: null },
    { init_lora_weights: "gaussian" },
    { init_lora_weights: "orthogonal" },
    { init_lora_weights: "eva", eva_config: { rho: 2 } },
    { loftq_config: { loftq_bits: 4 }, corda_config: { verbose: true }, lora_ga_config: { scale: "stable" } },
    // PEFT sets it right for matrices of this kind.
    { fan_in_fan_out: true },
    // What a newer PEFT may know, not asked for.
    { use_something_new: false, something_new_config: null, something_new_pattern: {} },
  ];
  for (const changes of harmless) {
    it(`${JSON.stringify(changes)}`, () => {
      const { rank, alpha, base, isTargeted } = read(changes);
      expect([rank, alpha, base, isTargeted(q(0)), isTargeted("model.layers.0.mlp.up_proj")]).toEqual([
        2,
        4,
        "base",
        true,
        false,
      ]);
    });
  }

  it("and what is left out is as PEFT has it", () => {
    const { rank, alpha } = readAdapterSettings({ peft_type: "LORA", base_model_name_or_path: "b" }, "f");
    expect([rank, alpha]).toEqual([8, 8]);
  });

  it("and rank-stabilized scales are read", () => {
    expect(read({ use_rslora: true }).alpha).toBeCloseTo(4 * Math.SQRT2, 6);
  });
});

describe("keys that make an adapter compute something else are refused by name", () => {
  const refused: Readonly<Record<string, readonly unknown[]>> = {
    peft_type: ["IA3", "ADALORA", null],
    task_type: ["SEQ_2_SEQ_LM", "TOKEN_CLS", "FEATURE_EXTRACTION"],
    init_lora_weights: ["pissa", "pissa_niter_4", "olora", "OLoRA", "corda", "loftq", "lora_ga", "mica", "other", 1],
    alora_invocation_tokens: [[1, 2]],
    alpha_pattern: [{ q_proj: 3 }],
    rank_pattern: [{ q_proj: 3 }],
    arrow_config: [{ top_k: 3 }],
    bias: ["all", "lora_only"],
    kasa_config: [{ beta: 1 }],
    layer_replication: [[[0, 2]]],
    lora_bias: [true],
    megatron_config: [{ x: 1 }],
    modules_to_save: [["lm_head"], ["embed_tokens"], "score"],
    monteclora_config: [{ num_samples: 8 }],
    target_parameters: [["mlp.experts"]],
    trainable_token_indices: [[1], { embed_tokens: [1] }],
    use_bdlora: [{ nblocks: 2 }],
    use_dora: [true, 1],
    use_qalora: [true],
    use_rslora: [1, "true"],
    velora_config: [{ scale: 1 }],
    use_something_new: [true, 5, "yes"],
    r: [0, 1.5, "2", null],
    lora_alpha: [0, -1, null, "4"],
    base_model_name_or_path: [null, ""],
    target_modules: ["(", "(?P<name>q_proj)", "(?i)q_proj", 5, [5]],
    exclude_modules: ["a++", [null]],
    layers_pattern: ["(a|b)", [5]],
    layers_to_transform: ["1", [0.5]],
  };
  for (const [key, values] of Object.entries(refused)) {
    it.each(values.map((value) => [JSON.stringify(value), value]))(`${key}: %s`, (_, value) => {
      expect(() => read({ [key]: value })).toThrow(ConfigError);
      expect(() => read({ [key]: value })).toThrow(new RegExp(`^adapter_config\\.json: ${key} is .*; expected `));
    });
  }

  it("init_lora_weights says what to do", () => {
    expect(() => read({ init_lora_weights: "pissa" })).toThrow(/merge it with PEFT \(merge_and_unload\)/);
  });

  it("layers chosen beside a pattern, as PEFT does", () => {
    expect(() => read({ target_modules: ".*q_proj", layers_to_transform: [1] })).toThrow(
      /layers_to_transform is \[1\]/,
    );
  });
});

describe("the modules that have an adapter", () => {
  const up = "model.layers.1.mlp.up_proj";
  const cases: readonly [object, string[]][] = [
    [{}, [q(0), q(1)]],
    [{ target_modules: ["self_attn.q_proj"] }, [q(0), q(1)]],
    [{ target_modules: ["proj"] }, []],
    [{ target_modules: [q(1)] }, [q(1)]],
    [{ target_modules: null }, [q(0), q(1)]],
    [{ target_modules: "all-linear" }, [q(0), q(1), up]],
    [{ target_modules: String.raw`model\.layers\.1\..*` }, [q(1), up]],
    [{ target_modules: "q_proj" }, []],
    [{ target_modules: ".*q_proj|.*up_proj", exclude_modules: String.raw`.*\.0\..*` }, [q(1), up]],
    [{ exclude_modules: ["self_attn.q_proj"] }, []],
    [{ exclude_modules: [q(0)] }, [q(1)]],
    [{ layers_to_transform: [1] }, [q(1)]],
    [{ layers_to_transform: 0 }, [q(0)]],
    [{ layers_to_transform: [] }, [q(0), q(1)]],
    [{ layers_to_transform: [1], layers_pattern: "layers" }, [q(1)]],
    [{ layers_to_transform: [1], layers_pattern: ["h", "model.layers"] }, [q(1)]],
    [{ layers_to_transform: [1], layers_pattern: "h" }, []],
    [{ layers_to_transform: [1], target_modules: [q(0), "up_proj"] }, [q(0), up]],
  ];
  for (const [changes, expected] of cases) {
    it(`${JSON.stringify(changes)}`, () => {
      expect([q(0), q(1), up].filter(read(changes).isTargeted)).toEqual(expected);
    });
  }
});

describe("an adapter's directory", () => {
  let root: string;
  let directory: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "mucode-adapter-"));
    const tokenizer = trainTokenizer({ texts: ["def add(xs):\n"], phrases: [], vocabularySize: 260 });
    const shape = { hiddenSize: 8, layerCount: 2, headCount: 2, keyValueHeadCount: 1, intermediateSize: 8 };
    const settings = { contextLength: 16, tieEmbeddings: true, ropeTheta: 10_000, rmsNormEpsilon: 1e-5 };
    const config = { vocabularySize: 260, ...shape, ...settings };
    const model = await createEmbeddedModel({ config, tokenizer, seed: 1, threads: 1 });
    await model.save(join(root, "base"));
    await model.close();
    directory = join(root, "adapter");
    const lora = { rank: 2, alpha: 4, targets: ["q_proj"], seed: 1 } as const;
    const adapter = await loadEmbeddedModel({ directory: join(root, "base"), threads: 1, lora });
    await adapter.save(directory);
    await adapter.close();
  });
  afterAll(() => rm(root, { recursive: true }));

  it("with matrices that its configuration does not name is refused, as PEFT would pass over them", async () => {
    const file = join(directory, "adapter_config.json");
    const saved = await readFile(file, "utf8");
    await describeAdapter(directory);
    await writeFile(file, JSON.stringify({ ...JSON.parse(saved), layers_to_transform: [0] }));
    await expect(describeAdapter(directory)).rejects.toThrow(
      /adapter_model\.safetensors: \S+layers\.1\.self_attn\.q_proj\.lora_A\.weight is there; expected no adapter of that/,
    );
    await writeFile(file, saved);
  });

  it("of which a file is a Git LFS pointer is refused as that", async () => {
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n";
    for (const name of ["adapter_config.json", "adapter_model.safetensors"]) {
      const saved = await readFile(join(directory, name));
      await writeFile(join(directory, name), pointer);
      await expect(describeAdapter(directory)).rejects.toThrow(
        new RegExp(`${name}: is a Git LFS pointer.*git lfs pull`),
      );
      await writeFile(join(directory, name), saved);
    }
  });
});
