/** Opens checkpoints as generators and verifiers, wherever the configuration has them served. */
import type { Clock } from "../clock.ts";
import type { RoleServing, ServingConfiguration, ServingRole } from "../config/serving-schema.ts";
import { loadEmbeddedModel } from "../engine/embedded/embedded-model.ts";
import { ConfigError } from "../errors.ts";
import { createEngineGenerator } from "../generator/engine-generator.ts";
import type { Generator } from "../generator/generator.ts";
import { createOpenAIGenerator } from "../generator/openai-generator.ts";
import { openClassificationServer } from "../openai/classification-server.ts";
import { openModelServer, type ModelServer, type ModelServerOptions, type Surroundings } from "../openai/server.ts";
import { endLeftovers } from "../processes/leftovers.ts";
import type { Checkpoint, Trainer } from "../training/trainer.ts";
import { createClassificationVerifier, exampleSequences } from "../verifier/classification-verifier.ts";
import { createEngineVerifier } from "../verifier/engine-verifier.ts";
import { createVerdictVerifier } from "../verifier/verdict-verifier.ts";
import { readVerifierSettings, type VerifierSettings } from "../verifier/verifier-files.ts";
import type { Verifier } from "../verifier/verifier.ts";
import { describeCapabilities, findCapabilities } from "./capabilities.ts";
import { readSequenceLimits } from "./sequence-limits.ts";
import { serveCheckpoint, type ServedModel } from "./served-model.ts";

export interface ModelOpenerOptions {
  readonly serving: ServingConfiguration;
  /** Of the embedded engine. */
  readonly threads: number;
  /** Directory for the servers' logs. */
  readonly logs: string;
  /** Directory for the records of what runs; nobody else may write there. */
  readonly records: string;
  readonly signal?: AbortSignal;
  readonly log?: (line: string) => void;
  /** For the limits of requests. Default: the machine's. */
  readonly clock?: Clock;
}

/** The half of a trainer that opens its results. */
export interface ModelOpener extends Pick<Trainer, "openGenerator" | "openVerifier"> {
  /** Stops the servers whose devices training needs: all but those that the configuration keeps running. */
  freeDevices(): Promise<void>;
  /** Stops all of them. */
  close(): Promise<void>;
}

const leftoversGraceMs = 5000;

/** A checkpoint in service, for as long as somebody uses it or it may stay. */
interface Service {
  readonly directory: string;
  readonly classifies: boolean;
  readonly model: Promise<ServedModel>;
  users: number;
}

/**
 * Ends the servers that an earlier run of this directory had to leave behind. A server starts with the first model
 * opened on its checkpoint and stops when the last one is closed, unless it is to keep running: then it stops when
 * another checkpoint takes its place, and at `close`.
 * @throws StoreError when the records cannot be read.
 */
export async function createModelOpener(options: ModelOpenerOptions): Promise<ModelOpener> {
  const { serving, threads, log, clock } = options;
  const surroundings: Surroundings = clock === undefined ? {} : { clock };
  for (const { command, pids } of await endLeftovers(options.records, { graceMs: leftoversGraceMs })) {
    log?.(`ended what an earlier run had left behind: ${command.slice(0, 3).join(" ")} … (${pids.join(", ")})`);
  }
  const services: Record<ServingRole, Service[]> = { generator: [], verifier: [] };

  const stop = async (role: ServingRole, service: Service): Promise<void> => {
    services[role] = services[role].filter((other) => other !== service);
    const model = await service.model.catch(() => null);
    await model?.stop();
  };

  const acquire = async (role: ServingRole, directory: string, classifies: boolean): Promise<Service> => {
    const same = (service: Service): boolean => service.directory === directory && service.classifies === classifies;
    const idle = services[role].filter((service) => service.users === 0 && !same(service));
    await Promise.all(idle.map((service) => stop(role, service)));
    let service = services[role].find(same);
    if (service === undefined) {
      const settings = serving[role];
      const model = serveCheckpoint({ ...options, role, classifies, settings, directory });
      service = { directory, classifies, model, users: 0 };
      services[role].push(service);
    }
    service.users++;
    return service;
  };

  const release = async (role: ServingRole, service: Service, { keep }: { readonly keep: boolean }): Promise<void> => {
    service.users--;
    if (service.users === 0 && !(keep && serving[role].keepRunning)) await stop(role, service);
  };

  /** Opens a client on a checkpoint in service; closing what it gives closes the client and then lets the service go. */
  async function openOn<T extends { close(): Promise<void> }>(
    role: ServingRole,
    { directory }: Checkpoint,
    classifies: boolean,
    open: (model: ServedModel) => Promise<T>,
  ): Promise<T> {
    const service = await acquire(role, directory, classifies);
    try {
      const opened = await open(await service.model);
      let closed: Promise<void> | undefined;
      const close = (): Promise<void> =>
        (closed ??= opened.close().finally(() => release(role, service, { keep: true })));
      return { ...opened, close };
    } catch (error) {
      await release(role, service, { keep: false });
      throw error;
    }
  }

  const openServer = (role: ServingRole, settings: RoleServing, served: ServedModel, api: "chat" | "completions") =>
    openModelServer({ ...connectionOf(settings, served, log), api }, surroundings).then(async (server) => {
      try {
        const found = await findCapabilities(server, options.signal);
        log?.(`the ${role}'s server at ${served.baseUrl} gives ${describeCapabilities(found)}`);
        return server;
      } catch (error) {
        await server.close();
        throw error;
      }
    });

  async function openServedVerifier(checkpoint: Checkpoint, settings: VerifierSettings): Promise<Verifier> {
    const { form, bias, showPublicTests } = settings;
    if (form === "head") {
      const model = await readSequenceLimits(checkpoint.directory);
      return openOn("verifier", checkpoint, true, async (served) => {
        const examples = exampleSequences(model);
        const connection = connectionOf(serving.verifier, served, log);
        const choice = { ...connection, model: served.model ?? "", examples };
        const server = await openClassificationServer(choice, surroundings);
        return createClassificationVerifier(server, { model, settings });
      });
    }
    if (form === "verdict") {
      return openOn("verifier", checkpoint, false, async (served) => {
        const server = await openServer("verifier", serving.verifier, served, "chat");
        return withServer(await createVerdictVerifier({ server, showPublicTests }), server, bias);
      });
    }
    throw new ConfigError(
      `serving.verifier.kind is ${serving.verifier.kind}, and the verifier's score is a ${form}, which no server computes: set verifier.form to head or verdict, or serving.verifier.kind to embedded`,
      { key: "serving.verifier.kind", form },
    );
  }

  return {
    async openGenerator(checkpoint) {
      if (serving.generator.kind === "embedded") {
        return createEngineGenerator(await loadEmbeddedModel({ directory: checkpoint.directory, threads }));
      }
      return openOn("generator", checkpoint, false, async (served): Promise<Generator> => {
        const server = await openServer("generator", serving.generator, served, serving.generator.api);
        return { ...createOpenAIGenerator(server), close: () => server.close() };
      });
    },

    async openVerifier(checkpoint) {
      const settings = await readVerifierSettings(checkpoint.directory);
      if (serving.verifier.kind !== "embedded") return openServedVerifier(checkpoint, settings);
      return createEngineVerifier(await loadEmbeddedModel({ directory: checkpoint.directory, threads }), settings);
    },

    async freeDevices() {
      await Promise.all(
        (["generator", "verifier"] as const)
          .filter((role) => !serving[role].keepRunning)
          .flatMap((role) => services[role].map((service) => stop(role, service))),
      );
    },

    async close() {
      await Promise.all(
        (["generator", "verifier"] as const).flatMap((role) => services[role].map((service) => stop(role, service))),
      );
    },
  };
}

function connectionOf(
  settings: RoleServing,
  { baseUrl, addresses, model, requestFields }: ServedModel,
  log: ((line: string) => void) | undefined,
): ModelServerOptions {
  return {
    baseUrl,
    replicas: addresses,
    requestFields,
    ...(model !== undefined && { model }),
    concurrency: settings.concurrency * Math.max(1, addresses().length),
    requestTimeoutMs: Math.ceil(settings.requestTimeout * 1000),
    retries: settings.retries,
    pauseLimitMs: Math.ceil(settings.pauseLimit * 1000),
    ...(log && { log }),
  };
}

/** The bias of a trained verifier, and its server closed with it. */
function withServer(verifier: Verifier, server: ModelServer, bias: number): Verifier {
  return {
    score: async (request, signal) => (await verifier.score(request, signal)) + bias,
    close: async () => {
      await verifier.close();
      await server.close();
    },
  };
}
