/**
 * How each kind of server is started on a checkpoint, called and asked whether it is well; to the documentation of
 * vLLM (https://docs.vllm.ai/en/stable/cli/serve/), SGLang (https://docs.sglang.io/advanced_features/server_arguments.html)
 * and `transformers serve` (https://huggingface.co/docs/transformers/serve-cli/serving).
 */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { RoleServing, ServingRole } from "../config/serving-schema.ts";
import { parseEnvironment, splitWords } from "../config/words.ts";
import { ConfigError } from "../errors.ts";
import type { CheckpointKind } from "./checkpoint-kind.ts";

export type StartedKind = Exclude<RoleServing["kind"], "embedded" | "urls">;

export interface LaunchOptions {
  readonly role: ServingRole;
  /** Whether the checkpoint is served for classification: a verifier with a score head. */
  readonly classifies: boolean;
  readonly settings: RoleServing;
  readonly checkpoint: CheckpointKind;
  /** A word that stands for it, in a plan. */
  readonly port: number | "PORT";
  /** From 0: chooses its devices. */
  readonly replica: number;
}

export interface Launch {
  readonly command: readonly string[];
  /** Added to this process's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** What to call the model. */
  readonly model: string;
  /** Sent with every request for text. */
  readonly requestFields: Readonly<Record<string, unknown>>;
  readonly baseUrl: string;
  /** Answers with status 200 once the server serves. */
  readonly healthUrl: string;
}

interface Preset {
  /** The kind's own program. */
  readonly executable: string;
  /** The words after the program. */
  words(options: LaunchOptions, model: string): readonly string[];
  /** What the model is called, unless the configuration says it. */
  name(checkpoint: CheckpointKind, role: ServingRole): string;
  readonly healthPath: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly requestFields?: (checkpoint: CheckpointKind) => Readonly<Record<string, unknown>>;
  /** Whether it serves LoRA adapters and models with a score head. */
  readonly adapters: boolean;
  readonly classification: boolean;
}

const host = "127.0.0.1";

const presets = {
  mucode: {
    executable: process.execPath,
    words: ({ checkpoint, port }) => [
      fileURLToPath(new URL("../../bin/mucode.js", import.meta.url)),
      "serve",
      "--checkpoint",
      checkpoint.directory,
      "--host",
      host,
      "--port",
      `${port}`,
    ],
    name: ({ directory }) => basename(directory),
    healthPath: "/health",
    environment: {},
    adapters: false,
    classification: true,
  },
  vllm: {
    executable: "vllm",
    words: ({ checkpoint, classifies, port }, model) => [
      "serve",
      checkpoint.kind === "adapter" ? checkpoint.base : checkpoint.directory,
      "--host",
      host,
      "--port",
      `${port}`,
      ...(checkpoint.kind === "adapter"
        ? [
            "--enable-lora",
            "--max-lora-rank",
            `${loraRank(checkpoint.rank)}`,
            "--lora-modules",
            `${model}=${checkpoint.directory}`,
          ]
        : ["--served-model-name", model]),
      ...(classifies ? ["--runner", "pooling", "--convert", "classify"] : []),
    ],
    name: (_, role) => `mucode-${role}`,
    healthPath: "/health",
    environment: {},
    adapters: true,
    classification: true,
  },
  sglang: {
    executable: "python3",
    words: ({ checkpoint, classifies, port }, model) => [
      "-m",
      "sglang.launch_server",
      "--model-path",
      checkpoint.kind === "adapter" ? checkpoint.base : checkpoint.directory,
      "--host",
      host,
      "--port",
      `${port}`,
      // An adapter is asked for by the name of its base and its own: BASE:ADAPTER.
      ...(checkpoint.kind === "adapter"
        ? [
            "--served-model-name",
            beforeColon(model),
            "--enable-lora",
            "--lora-paths",
            `${afterColon(model)}=${checkpoint.directory}`,
          ]
        : ["--served-model-name", model]),
      ...(classifies ? ["--is-embedding"] : []),
    ],
    name: ({ kind }, role) => (kind === "adapter" ? `mucode-base:mucode-${role}` : `mucode-${role}`),
    healthPath: "/health",
    environment: {},
    adapters: true,
    classification: true,
  },
  transformers: {
    executable: "transformers",
    words: ({ checkpoint, port }) => ["serve", checkpoint.directory, "--host", host, "--port", `${port}`],
    name: ({ directory }) => directory,
    healthPath: "/health",
    // A directory is served: nothing is to be looked up.
    environment: { HF_HUB_OFFLINE: "1" },
    // It samples only where the checkpoint's own generation_config.json says so, and then mostly from a few tokens.
    requestFields: ({ endTokens }) => ({
      generation_config: JSON.stringify({ do_sample: true, top_k: 0, top_p: 1, eos_token_id: endTokens }),
    }),
    adapters: false,
    classification: false,
  },
} as const satisfies Record<StartedKind, Preset>;

/** @throws ConfigError for what the kind cannot serve, and for keys that cannot be read. */
export function planLaunch(kind: StartedKind, options: LaunchOptions): Launch {
  const { role, settings, checkpoint, classifies, port } = options;
  const key = `serving.${role}`;
  const preset: Preset = presets[kind];
  if (checkpoint.kind === "adapter" && (!preset.adapters || classifies)) {
    throw new ConfigError(
      `${key}.kind is ${kind}, which does not serve ${classifies ? "the score head of a LoRA adapter" : "a LoRA adapter"} (${checkpoint.directory}): ` +
        (classifies ? "merge it into its base model" : "take vllm or sglang, or merge it into its base model"),
      { key: `${key}.kind`, checkpoint: checkpoint.directory },
    );
  }
  if (classifies && !preset.classification) {
    throw new ConfigError(`${key}.kind is ${kind}, which has no endpoint for scores: take vllm, sglang or mucode`, {
      key: `${key}.kind`,
    });
  }
  const model = settings.model ?? preset.name(checkpoint, role);
  const devices = devicesOf(options, key);
  return {
    command: [
      settings.executable ?? preset.executable,
      ...preset.words(options, model),
      ...splitWords(settings.arguments ?? "", `${key}.arguments`),
    ],
    environment: {
      ...preset.environment,
      ...(devices !== undefined && { CUDA_VISIBLE_DEVICES: devices }),
      ...parseEnvironment(settings.environment ?? "", `${key}.environment`),
    },
    model,
    requestFields: preset.requestFields?.(checkpoint) ?? {},
    baseUrl: `http://${host}:${port}/v1`,
    healthUrl: `http://${host}:${port}${preset.healthPath}`,
  };
}

/** GPU indices of one replica, apart by commas; `undefined` where the configuration leaves them open. */
function devicesOf({ settings, replica }: LaunchOptions, key: string): string | undefined {
  if (settings.devices === undefined) return undefined;
  const lists = settings.devices.split(";").map((list) => list.replaceAll(/\s/g, ""));
  if (lists.length !== settings.replicas || !lists.every((list) => /^\d+(?:,\d+)*$/.test(list))) {
    throw new ConfigError(
      `${key}.devices: ${JSON.stringify(settings.devices)} is not one list of GPU indices per replica (${settings.replicas}), e.g. "0,1; 2,3"`,
      { key: `${key}.devices`, value: settings.devices, replicas: settings.replicas },
    );
  }
  return lists[replica];
}

/** The least of the ranks that vLLM makes room for. */
function loraRank(rank: number): number {
  return [8, 16, 32, 64, 128, 256, 320, 512].find((known) => known >= rank) ?? rank;
}

function beforeColon(model: string): string {
  return model.slice(0, Math.max(0, model.indexOf(":"))) || model;
}

function afterColon(model: string): string {
  return model.slice(model.indexOf(":") + 1);
}
