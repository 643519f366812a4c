/** What a replica's thread runs: it answers the calls of `replica-messages.ts`. */
import { parentPort } from "node:worker_threads";
import { EngineError } from "../../errors.ts";
import type { SampleRequest } from "../engine.ts";
import {
  sendError,
  type Answer,
  type CallName,
  type FromReplica,
  type Given,
  type Told,
  type ToReplica,
} from "./replica-messages.ts";
import { Replica } from "./replica.ts";

/** A call under way. */
interface CallContext {
  readonly signal: AbortSignal;
  readonly endedSamples: ReadonlySet<number>;
  tell(told: Told): void;
}

type Answers = { readonly [N in CallName]: (given: Given<N>, context: CallContext) => Answer<N> | Promise<Answer<N>> };

const port = parentPort!;
const underWay = new Map<number, { controller: AbortController; endedSamples: Set<number> }>();
let opened: Replica | undefined;

function replica(): Replica {
  if (opened === undefined) throw new EngineError("the replica is not open");
  return opened;
}

const answers: Answers = {
  async open({ source, threads, shared }, { tell }) {
    opened = await Replica.open(source, { threads, shared, onNotice: tell });
    return opened.describe();
  },
  gradient: () => replica().gradient,
  join: (given) => replica().join(given),
  sample({ request, streams }, { signal, endedSamples, tell }) {
    const onToken: SampleRequest["onToken"] = (token) => {
      tell(token);
      return endedSamples.has(token.sampleIndex) ? "stop" : undefined;
    };
    return replica().sample({ ...request, ...(streams && { onToken }) }, signal);
  },
  forward: (batch, { signal, tell }) => replica().forward(batch, { signal, onSequences: tell }),
  forwardBackward: ({ batch, undoable }, { signal, tell }) =>
    replica().forwardBackward(batch, { signal, undoable, onSequences: tell }),
  undo: () => replica().undo(),
  step: (adamW) => replica().step(adamW),
  settleGradient: () => replica().sharedExchange.settle(),
  sumGradients: () => replica().sharedExchange.sum(),
  updateShared: (given) => replica().sharedExchange.update(given),
  publishGradient: (round) => replica().exchange.publishGradient(round),
  addGradient: () => replica().exchange.addGradient(),
  update: (given) => replica().exchange.update(given),
  publish: (vector) => replica().exchange.publish(vector),
  adopt: (vector) => replica().exchange.adopt(vector),
  save: (directory) => replica().save(directory),
  saveTrainingState: (file) => replica().saveTrainingState(file),
  loadTrainingState: (file) => replica().loadTrainingState(file),
  requireTrainable: () => replica().requireTrainable(),
  async close() {
    await opened?.close();
    opened = undefined;
    // The thread ends by itself, outside of the runtime, once this is answered.
    setImmediate(() => port.close());
  },
};

port.on("message", (message: ToReplica) => {
  if ("call" in message) void answer(message.id, message.call, message.given);
  else if ("abort" in message) underWay.get(message.id)?.controller.abort();
  else underWay.get(message.id)?.endedSamples.add(message.endSample);
});

async function answer<N extends CallName>(id: number, call: N, given: unknown): Promise<void> {
  const controller = new AbortController();
  const endedSamples = new Set<number>();
  underWay.set(id, { controller, endedSamples });
  const post = (message: FromReplica): void => port.postMessage(message);
  try {
    const context = { signal: controller.signal, endedSamples, tell: (told: Told) => post({ id, told }) };
    post({ id, answer: await answers[call](given as Given<N>, context) });
  } catch (error) {
    post({ id, error: sendError(error) });
  } finally {
    underWay.delete(id);
  }
}
