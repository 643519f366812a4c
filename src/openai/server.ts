/** Opens a model server: finds the model and puts the parts together. */
import { APIConnectionError } from "openai";
import { ConfigError } from "../errors.ts";
import type { Address } from "./address.ts";
import { readModels } from "./answers.ts";
import { createCalls } from "./calls.ts";
import type { ProtocolClient } from "./client.ts";
import { openConnection, type Surroundings } from "./connection.ts";
import { ModelServerError } from "./errors.ts";
import { classifyFault, explainRefusal } from "./faults.ts";
import type { ModelServer, ModelServerOptions } from "./model-server.ts";
import { LastingFault, type Retrier } from "./retry.ts";

export type { Surroundings } from "./connection.ts";
export type * from "./model-server.ts";

/**
 * Asks the server for its models, and nothing else.
 * @throws ConfigError when nothing answers at the base URL, the key is refused, or the model has to be named;
 * StoreError when the recording cannot be used.
 */
export async function openModelServer(
  options: ModelServerOptions,
  surroundings: Surroundings = {},
): Promise<ModelServer> {
  const connection = await openConnection(options, surroundings);
  const { address, client, retrier, log, meter } = connection;
  try {
    const model = await findModel(options.model, { address, client, retrier, log });
    const { api = "chat", concurrency = 8, requestFields = {} } = options;
    const calls = createCalls({ address, api, model, concurrency, requestFields, client, meter, retrier, log });
    return {
      get description() {
        const { answeredBy, ...capabilities } = calls.found;
        return { baseUrl: address.baseUrl, model, api, answeredBy, capabilities };
      },
      usage: () => meter.usage(),
      complete: calls.complete,
      firstTokens: calls.firstTokens,
      close: connection.close,
    };
  } catch (error) {
    await connection.close().catch(() => undefined);
    throw error;
  }
}

interface Parts {
  readonly address: Address;
  readonly client: ProtocolClient;
  readonly retrier: Retrier;
  readonly log: (line: string) => void;
}

/** The model to ask for. A server that cannot list its models will do when the model is named. */
async function findModel(named: string | undefined, { address, client, retrier, log }: Parts): Promise<string> {
  const { baseUrl, keySource } = address;
  const list = async (): Promise<string> => {
    try {
      return await client.models();
    } catch (error) {
      const fault = classifyFault(error, 0);
      if (error instanceof APIConnectionError && fault.kind === "passing" && fault.extent === "server") {
        throw new ConfigError(`nothing answers at ${baseUrl} (${fault.text}): start the server, or mend the base URL`, {
          baseUrl,
        });
      }
      // A key may have a right to the model and none to the list.
      const isKey = fault.kind === "refused" && (fault.reason === "key" || (fault.reason === "access" && !named));
      if (isKey) {
        throw explainRefusal(fault, { baseUrl, keySource, model: named ?? "not named", listed: null });
      }
      throw error;
    }
  };
  try {
    const listed = readModels(named === undefined ? await retrier.run(list) : await list());
    if (named === undefined) return onlyModel(listed, baseUrl);
    if (!listed.includes(named)) {
      log(`${baseUrl} lists ${listed.join(", ") || "no models"}, not ${named}; asking for it all the same`);
    }
    return named;
  } catch (error) {
    const fault = error instanceof LastingFault ? error.fault : classifyFault(error, 0);
    const given = error instanceof ModelServerError || (fault.kind !== "foreign" && fault.kind !== "unsupported");
    if (!given) throw error;
    if (named !== undefined) return named;
    const reason = "text" in fault ? fault.text : (error as Error).message;
    const isAddress = fault.kind === "refused" && fault.reason === "address";
    const mend = isAddress
      ? "check the base URL (does it end in /v1?)"
      : "name the model, and check that the URL ends in /v1 if the server wants that";
    throw new ConfigError(`${baseUrl} does not list its models (${reason}): ${mend}`, { baseUrl });
  }
}

function onlyModel(listed: readonly string[], baseUrl: string): string {
  const [first, ...others] = listed;
  if (first !== undefined && others.length === 0) return first;
  const reason =
    first === undefined
      ? `${baseUrl} lists no models`
      : `${baseUrl} lists ${listed.length} models: ${listed.slice(0, 20).join(", ")}${listed.length > 20 ? ", …" : ""}`;
  throw new ConfigError(`${reason}; name the one to use`, { key: "model", baseUrl });
}
