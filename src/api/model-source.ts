/** Who writes programs and who judges them: a checkpoint on the embedded engine, or a model behind a server. */
import { DEFAULT_MAX_TOKENS, type ServerConfiguration } from "../config/server-schema.ts";
import { loadEmbeddedModel } from "../engine/embedded/embedded-model.ts";
import { ConfigError } from "../errors.ts";
import { createEngineGenerator } from "../generator/engine-generator.ts";
import type { Generator } from "../generator/generator.ts";
import { createOpenAIGenerator } from "../generator/openai-generator.ts";
import type { ModelServer, ModelServerOptions, Usage } from "../openai/server.ts";
import { openModelServer } from "../openai/server.ts";
import type { PromptTemplateName } from "../tasks/prompt-template.ts";
import { sha256 } from "../tasks/task-set.ts";
import type { Task } from "../tasks/task.ts";
import { createEngineVerifier } from "../verifier/engine-verifier.ts";
import { renderVerdictQuestion } from "../verifier/verdict-question.ts";
import { createVerdictVerifier } from "../verifier/verdict-verifier.ts";
import { readVerifierSettings } from "../verifier/verifier-files.ts";
import type { Verifier } from "../verifier/verifier.ts";
import { hashWeights, resolveCheckpoint } from "./models.ts";

/** What a report says of who wrote the programs; no credentials in it. */
export type ModelDescription =
  | { readonly kind: "checkpoint"; readonly checkpoint: string; readonly sha256: string }
  | ({
      readonly kind: "server";
      /** The file whose recorded answers were taken; `null` for a server that was really asked. */
      readonly replayed: string | null;
    } & ModelServer["description"]);

export type VerifierDescription =
  | { readonly kind: "checkpoint"; readonly checkpoint: string; readonly sha256: string }
  /** Zero-shot: log p(yes) − log p(no) of a verdict token of this model. */
  | {
      readonly kind: "served";
      readonly model: string;
      /** SHA-256 (hex) of what it is asked about a fixed example: another wording is another verifier. */
      readonly question: string;
    };

export interface ModelSource {
  /** What decides the results. Not where the server is: the same model may move. */
  readonly identity: Readonly<Record<string, string>>;
  readonly template: PromptTemplateName;
  /** Most new tokens of a completion, where nothing else is said. */
  readonly maxTokens: number;
  /** Requests that the model takes at the same time; `null` where it batches whatever waits. */
  readonly concurrency: number | null;
  describe(): ModelDescription;
  openGenerator(): Promise<Generator>;
  /** Of a server, since it was opened. `null` for a checkpoint. */
  usage(): Usage | null;
  close(): Promise<void>;
  /** For a verifier by the same model; `null` for a checkpoint. */
  readonly server: ModelServer | null;
}

export interface ModelChoice {
  readonly checkpoint?: string | undefined;
  readonly prompt?: PromptTemplateName | undefined;
  readonly threads: number;
  readonly server: ServerConfiguration;
}

export interface OpenModelSourceOptions {
  readonly choice: ModelChoice;
  /** What earlier attempts of the same run have used up: taken from the run's limits. */
  readonly spent?: Pick<Usage, "requests" | "completionTokens">;
  readonly log?: (line: string) => void;
}

/** @throws ConfigError for contradicting keys, a missing checkpoint, a server that does not answer, limits used up. */
export async function openModelSource({ choice, spent, log }: OpenModelSourceOptions): Promise<ModelSource> {
  const { checkpoint, prompt, server } = choice;
  if (server.baseUrl === undefined && server.replay === undefined) {
    const stray = (["model", "record", "maxRequests", "maxTokens"] as const).find((key) => server[key] !== undefined);
    if (stray !== undefined) {
      throw new ConfigError(`server.${stray} is for a served model: name its server with --base-url URL`, {
        key: `server.${stray}`,
      });
    }
    return openCheckpointSource(checkpoint ?? "mubpp-base", prompt ?? "terse", { threads: choice.threads, log });
  }
  if (checkpoint !== undefined) {
    throw new ConfigError("--checkpoint and --base-url name two models: leave one of them out", { checkpoint });
  }
  const opened = await openModelServer(serverOptions(server, spent, log));
  return {
    identity: { model: opened.description.model, api: server.api },
    template: prompt ?? "instruct",
    maxTokens: DEFAULT_MAX_TOKENS.server,
    concurrency: server.concurrency,
    describe: () => ({ kind: "server", replayed: server.replay ?? null, ...opened.description }),
    openGenerator: async () => createOpenAIGenerator(opened),
    usage: () => opened.usage(),
    close: () => opened.close(),
    server: opened,
  };
}

async function openCheckpointSource(
  name: string,
  template: PromptTemplateName,
  { threads, log }: Pick<ModelChoice, "threads"> & Pick<OpenModelSourceOptions, "log">,
): Promise<ModelSource> {
  const { directory } = await resolveCheckpoint(name);
  const identity = { checkpoint: name, sha256: await hashWeights({ directory }) };
  return {
    identity,
    template,
    maxTokens: DEFAULT_MAX_TOKENS.checkpoint,
    concurrency: null,
    describe: () => ({ kind: "checkpoint", ...identity }),
    openGenerator: async () =>
      createEngineGenerator(await loadEmbeddedModel({ directory, threads, ...(log && { onNotice: log }) })),
    usage: () => null,
    close: async () => {},
    server: null,
  };
}

/** Where programs come from a server, `--replay` needs no address, but what answers is still named by one. */
const REPLAY_URL = "http://replay.invalid/v1";

function serverOptions(
  server: ServerConfiguration,
  spent: OpenModelSourceOptions["spent"],
  log: OpenModelSourceOptions["log"],
): ModelServerOptions {
  const { baseUrl = REPLAY_URL, inputPrice, outputPrice, requestTimeout, pauseLimit, ...rest } = server;
  if ((inputPrice === undefined) !== (outputPrice === undefined)) {
    throw new ConfigError("a cost needs both --server.input-price and --server.output-price", { key: "server" });
  }
  return {
    ...rest,
    baseUrl,
    requestTimeoutMs: Math.ceil(1000 * requestTimeout),
    pauseLimitMs: Math.ceil(1000 * pauseLimit),
    ...(inputPrice !== undefined &&
      outputPrice !== undefined && { prices: { inputPerMillion: inputPrice, outputPerMillion: outputPrice } }),
    ...left("maxRequests", "--max-requests", server.maxRequests, spent?.requests),
    ...left("maxTokens", "--max-tokens", server.maxTokens, spent?.completionTokens),
    ...(log && { log }),
  };
}

/** What is left of a limit of the whole run. */
function left(
  key: "maxRequests" | "maxTokens",
  flag: string,
  limit: number | undefined,
  spent: number | null | undefined,
): Partial<Record<typeof key, number>> {
  if (limit === undefined) return {};
  const rest = limit - (spent ?? 0);
  if (rest > 0) return { [key]: rest };
  throw new ConfigError(`${flag} ${limit} is used up by earlier attempts at this run: give a higher one to go on`, {
    key: `server.${key}`,
    limit,
    spent,
  });
}

export interface VerifierSource {
  readonly description: VerifierDescription;
  open(): Promise<Verifier>;
}

/** @throws ConfigError for a directory that is no verifier's checkpoint, and for `served` without a server. */
export async function chooseVerifier(
  name: string,
  { source, threads }: { readonly source: ModelSource; readonly threads: number },
): Promise<VerifierSource> {
  if (name === "served") {
    const { server } = source;
    if (server === null) {
      throw new ConfigError("--verifier served needs a served model: name its server with --base-url URL", {
        key: "verifier",
      });
    }
    const { model } = server.description;
    return {
      description: { kind: "served", model, question: await hashQuestion() },
      open: () => createVerdictVerifier({ server, ...ZERO_SHOT_PROMPT }),
    };
  }
  const { directory } = await resolveCheckpoint(name);
  const settings = await readVerifierSettings(directory);
  return {
    description: { kind: "checkpoint", checkpoint: name, sha256: await hashWeights({ directory }) },
    open: async () => createEngineVerifier(await loadEmbeddedModel({ directory, threads }), settings),
  };
}

/** With the tests in sight: they are part of the task, and a zero-shot verifier was not trained to do without. */
const ZERO_SHOT_PROMPT = { showPublicTests: true } as const;

function hashQuestion(): Promise<string> {
  const task: Task = {
    id: "example",
    prompt: "Add one.",
    language: "python",
    entryPoint: "f",
    publicTests: [{ kind: "assert", source: "assert f(1) == 2" }],
  };
  const question = renderVerdictQuestion({ task, program: "def f(x):\n    return x + 1\n" }, ZERO_SHOT_PROMPT);
  return sha256(JSON.stringify(question));
}
