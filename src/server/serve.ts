/** A checkpoint behind OpenAI's API. */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { z } from "zod";
import { hashWeights, resolveCheckpoint } from "../api/models.ts";
import { resolveInput } from "../config/resolve.ts";
import { describeAdapter } from "../engine/embedded/adapter-files.ts";
import { loadEmbeddedModel } from "../engine/embedded/embedded-model.ts";
import { serveSchema } from "./serve-schema.ts";
import { openServer, type RunningServer } from "./server.ts";

export interface ServeOptions {
  /** What is left out has its default. */
  readonly configuration?: z.input<typeof serveSchema>;
  /** What clients must send; needed where others than this machine can connect. */
  readonly apiKey?: string;
  /** Told what memory a large model takes, before it is loaded. */
  readonly onNotice?: (line: string) => void;
  /** Told of failures that are the server's fault. */
  readonly onError?: (error: unknown) => void;
}

export interface ServedCheckpoint extends RunningServer {
  /** What clients call the model. */
  readonly model: string;
}

/** @throws ConfigError for what the user can mend. Closing it closes the model too. */
export async function serve(options: ServeOptions = {}): Promise<ServedCheckpoint> {
  const configuration = resolveInput(serveSchema, options.configuration ?? {});
  const checkpoint = await resolveCheckpoint(configuration.checkpoint);
  const fingerprint = `fp_${(await hashWeights(checkpoint)).slice(0, 12)}`;
  const model = await loadEmbeddedModel({
    directory: checkpoint.directory,
    threads: configuration.threads,
    ...(options.onNotice && { onNotice: options.onNotice }),
  });
  const name = basename(checkpoint.directory);
  try {
    const { requestTimeout, maxTokens, ...rest } = configuration;
    const server = await openServer({
      ...rest,
      model,
      output: await readOutput(checkpoint.directory),
      name,
      fingerprint,
      requestTimeoutMs: requestTimeout * 1000,
      ...(maxTokens !== undefined && { maxTokens }),
      ...(options.apiKey !== undefined && { apiKey: options.apiKey }),
      ...(options.onError && { onError: options.onError }),
    });
    return {
      url: server.url,
      model: name,
      async close(closeOptions) {
        await server.close(closeOptions);
        await model.close();
      },
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** The checkpoint has been loaded: its configuration is known to be sound. */
async function readOutput(directory: string): Promise<"text" | "score"> {
  const adapter = await describeAdapter(directory);
  if (adapter?.output === "score") return "score";
  const { architectures } = JSON.parse(await readFile(join(adapter?.base ?? directory, "config.json"), "utf8")) as {
    architectures?: readonly string[];
  };
  return architectures?.[0]?.endsWith("ForSequenceClassification") ? "score" : "text";
}
