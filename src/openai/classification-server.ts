/**
 * A reward model behind a server: one number per text, by the classification endpoint of vLLM or of SGLang (`mucode serve`
 * has both). Token ids are sent, so that no server's own tokenization comes between training and scoring.
 *
 * vLLM puts a one-label model's logit through a sigmoid unless told otherwise, by a field whose name has changed over
 * its versions; SGLang gives the logit. Which of the two comes back is found out by asking, never assumed.
 */
import { z } from "zod";
import { ConfigError, RefusedError } from "../errors.ts";
import type { Address } from "./address.ts";
import { readBody } from "./answers.ts";
import { openConnection, type Connection, type Surroundings } from "./connection.ts";
import { ModelServerError } from "./errors.ts";
import { AnswerError, explainRefusal } from "./faults.ts";
import type { ModelServerOptions, Usage } from "./model-server.ts";
import { LastingFault } from "./retry.ts";
import { createSlots } from "./slots.ts";

export interface ClassificationServerOptions extends Omit<ModelServerOptions, "api" | "replay" | "record"> {
  /** The name to send; SGLang's endpoint knows none. */
  readonly model: string;
  /** Sequences that tell what the server gives, at least two of different scores; asked once when it is opened. */
  readonly examples: readonly Int32Array[];
}

export interface ClassificationServer {
  /** For reports, as far as it is known; never contains a key. */
  readonly description: {
    readonly baseUrl: string;
    readonly model: string;
    readonly form: "vllm" | "sglang";
    /** `probability`: the server gives σ(logit), and the logit is computed from it. */
    readonly gives: "logit" | "probability";
  };
  usage(): Usage;
  /**
   * `scores[i]` belongs to `sequences[i]`.
   * @throws ModelServerError: the request failed; StopRunError: every further one would; ConfigError: the user must act.
   */
  classify(sequences: readonly Int32Array[], signal?: AbortSignal): Promise<Score[]>;
  close(): Promise<void>;
}

/**
 * A logit; `null` for a sequence that does not fit the server's context; an error for one that alone has none:
 * RefusedError, or ModelServerError where no number came for it.
 */
export type Score = number | null | RefusedError | ModelServerError;

/** How to ask, and how to read what comes back. */
interface Form {
  readonly name: "vllm" | "sglang";
  body(sequences: readonly Int32Array[], asked: { readonly model: string; readonly activation: boolean }): object;
  /** Whether it can be asked for a logit or for what an activation makes of it. */
  readonly activates: boolean;
  /** `null` where a number is missing, as NaN is in JSON. @throws AnswerError */
  read(body: unknown): (number | null)[];
}

const vllmSchema = z.object({
  data: z.array(z.object({ index: z.int(), probs: z.array(z.number().nullable()).length(1) })),
});
const sglangSchema = z.array(z.object({ embedding: z.array(z.number().nullable()).length(1) }));

/** https://docs.vllm.ai/en/stable/models/pooling_models/classify/ and https://docs.sglang.io/supported_models/reward_models.html */
const forms = [
  {
    name: "vllm",
    activates: true,
    // The fields of the latest versions, of those before, and of the first; each version reads its own.
    body: (sequences, { model, activation }) => ({
      model,
      input: sequences.map((tokens) => [...tokens]),
      use_activation: activation,
      activation,
      softmax: activation,
    }),
    read(body) {
      const { data } = parse(vllmSchema, body);
      return data.toSorted((a, b) => a.index - b.index).map(({ probs }) => probs[0] ?? null);
    },
  },
  {
    name: "sglang",
    activates: false,
    body: (sequences) => ({ input_ids: sequences.map((tokens) => [...tokens]) }),
    read: (body) => parse(sglangSchema, body).map(({ embedding }) => embedding[0] ?? null),
  },
] as const satisfies readonly Form[];

function parse<S extends z.ZodType>(schema: S, body: unknown): z.infer<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new AnswerError(`not the scores of a model with one label (${path.join(".") || "answer"}: ${message})`);
}

/**
 * Scores the examples.
 * @throws ConfigError when the server has no classification endpoint or its model has not one label; as `classify`.
 */
export async function openClassificationServer(
  options: ClassificationServerOptions,
  surroundings: Surroundings = {},
): Promise<ClassificationServer> {
  // The endpoints are beside the protocol's, not below its version.
  const { replicas } = options;
  const connection = await openConnection(
    {
      ...options,
      baseUrl: rootOf(options.baseUrl),
      ...(replicas !== undefined && { replicas: () => replicas().map(rootOf) }),
    },
    surroundings,
  );
  try {
    const { baseUrl } = connection.address;
    const { model, examples } = options;
    const slots = createSlots(options.concurrency ?? 8);
    const asker = createAsker(connection, model);
    const { form, values } = await findForm(asker, examples, connection.address);
    const gives = await findScale(asker, form, { examples, values });
    if (gives === "probability") {
      options.log?.(`${baseUrl} gives probabilities in place of logits: logits are computed from them`);
    }
    return {
      description: { baseUrl, model, form: form.name, gives },
      usage: () => connection.meter.usage(),
      classify: (sequences, signal) =>
        slots.hold(async () => {
          const found = await classifyAll({ ask: asker, form, examples, connection }, sequences, signal);
          return found.map((value) => (typeof value === "number" && gives === "probability" ? logit(value) : value));
        }, signal),
      close: connection.close,
    };
  } catch (error) {
    await connection.close().catch(() => undefined);
    throw error;
  }
}

type Asker = (
  form: Form,
  sequences: readonly Int32Array[],
  options?: { readonly activation?: boolean; readonly signal?: AbortSignal | undefined },
) => Promise<(number | null)[]>;

/** One request, sent again by the policy. @throws LastingFault; what `classify` throws. */
function createAsker({ client, retrier, meter }: Connection, model: string): Asker {
  return (form, sequences, { activation = false, signal } = {}) =>
    retrier.run(async () => {
      const ticket = await meter.admit(0, signal);
      let values: (number | null)[];
      try {
        values = form.read(
          readBody(await client.post("/classify", form.body(sequences, { model, activation }), signal)),
        );
        if (values.length !== sequences.length) {
          throw new AnswerError(`${values.length} scores for ${sequences.length} sequences`);
        }
      } catch (error) {
        ticket.failed({ worked: true });
        throw error;
      }
      const promptTokens = sequences.reduce((sum, { length }) => sum + length, 0);
      ticket.answered({ promptTokens, completionTokens: 0 });
      return values;
    }, signal);
}

/** The form that the server understands, with the values of the examples. */
async function findForm(
  ask: Asker,
  examples: readonly Int32Array[],
  { baseUrl, keySource }: Address,
): Promise<{ readonly form: Form; readonly values: readonly number[] }> {
  const complaints: string[] = [];
  for (const form of forms) {
    try {
      const values = await ask(form, examples);
      if (values.every((value) => value !== null)) return { form, values };
      complaints.push(`in the form of ${form.name}: scores that are no numbers`);
    } catch (error) {
      if (error instanceof LastingFault && error.fault.kind === "refused" && error.fault.reason === "key") {
        throw explainRefusal(error.fault, { baseUrl, model: "", keySource, listed: null });
      }
      if (!(error instanceof LastingFault || error instanceof ModelServerError)) throw error;
      complaints.push(`in the form of ${form.name}: ${textOf(error)}`);
    }
  }
  throw new ConfigError(
    `${baseUrl}/classify gives no scores: it needs a model with one label, served for classification\n${complaints.join("\n")}`,
    { baseUrl },
  );
}

/**
 * What comes back although logits are asked for. A server that answers otherwise when asked for activated values obeys;
 * of one that does not, numbers between 0 and 1 are taken for probabilities. Either way the order is the same.
 */
async function findScale(
  ask: Asker,
  form: Form,
  { examples, values }: { readonly examples: readonly Int32Array[]; readonly values: readonly number[] },
): Promise<"logit" | "probability"> {
  if (!form.activates || values.some((value) => value < 0 || value > 1)) return "logit";
  const activated = await ask(form, examples, { activation: true });
  return activated.some((value, index) => value !== null && Math.abs(value - values[index]!) > 1e-3)
    ? "logit"
    : "probability";
}

interface ClassifyParts {
  readonly ask: Asker;
  readonly form: Form;
  /** Scored before: the server that refuses them refuses everything. */
  readonly examples: readonly Int32Array[];
  readonly connection: Connection;
}

/** All together; one by one when they are refused, so that one that is too long or refused costs the others nothing. */
async function classifyAll(
  parts: ClassifyParts,
  sequences: readonly Int32Array[],
  signal?: AbortSignal,
): Promise<Score[]> {
  const { baseUrl } = parts.connection.address;
  try {
    const values = await parts.ask(parts.form, sequences, { signal });
    return values.map((value) => value ?? new ModelServerError(`${baseUrl} gives a score that is no number`));
  } catch (error) {
    if (!(error instanceof LastingFault)) throw error;
    if (sequences.length === 1) return [await judge(error, parts, signal)];
  }
  const alone: Score[] = [];
  for (const sequence of sequences) alone.push(...(await classifyAll(parts, [sequence], signal)));
  return alone;
}

/** @throws ConfigError when the server refuses the examples as well. */
async function judge(
  error: LastingFault,
  { ask, form, examples, connection }: ClassifyParts,
  signal?: AbortSignal,
): Promise<null | RefusedError> {
  if (error.fault.kind === "context") return null;
  const { baseUrl, keySource } = connection.address;
  try {
    await ask(form, examples, { signal });
  } catch (again) {
    if (again instanceof LastingFault && again.fault.kind === "refused") {
      throw explainRefusal(again.fault, { baseUrl, model: "", keySource, listed: null });
    }
    if (!(again instanceof LastingFault || again instanceof ModelServerError)) throw again;
  }
  return new RefusedError(`${baseUrl} refuses to score a program: ${textOf(error)}`);
}

function textOf(error: Error): string {
  return error instanceof LastingFault && "text" in error.fault ? error.fault.text : error.message;
}

/** The inverse of σ; a probability that was rounded to 0 or 1 gets the logit of the nearest float32 beside it. */
export function logit(probability: number): number {
  const least = 2 ** -126;
  const most = 1 - 2 ** -24;
  const p = Math.min(most, Math.max(least, probability));
  return Math.log(p) - Math.log1p(-p);
}

function rootOf(baseUrl: string): string {
  return baseUrl.replace(/\/v1\/?$/, "");
}
