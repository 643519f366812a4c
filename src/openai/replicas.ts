/** Several equal servers as one: a transport that sends each request to the one with the fewest under way. */
import type { Clock } from "../clock.ts";
import { TransportError, type Transport } from "./transport.ts";

/**
 * Base URLs of the servers at this moment: one that is being restarted is not among them, one that moved has its new
 * one. What it throws ends the request: StopRunError when there will never be one again.
 */
export type ReplicaAddresses = () => readonly string[];

interface ReplicaState {
  underWay: number;
  failures: number;
  /** By the clock; 0 for one that is not left out. */
  leftOutUntil: number;
  /** Number of the last request sent to it: among equals the one that has waited longest is next. */
  lastUsed: number;
}

const firstLeaveMs = 1000;
const longestLeaveMs = 30_000;

/**
 * A server that fails (no connection, a broken one, a time-out, a status of 500 or more) is left out for a while, longer
 * each time; while all are left out, the one that comes back first is asked. The failed request itself is not sent
 * again here: the retry policy does, and then it goes to another server.
 */
export function balanceReplicas(inner: Transport, replicas: ReplicaAddresses, clock: Pick<Clock, "now">): Transport {
  const states = new Map<string, ReplicaState>();
  let sent = 0;

  const stateOf = (url: string): ReplicaState => {
    let state = states.get(url);
    if (state === undefined) states.set(url, (state = { underWay: 0, failures: 0, leftOutUntil: 0, lastUsed: 0 }));
    return state;
  };

  const choose = (): [url: string, state: ReplicaState] => {
    const all = replicas().map((url) => [url, stateOf(url)] as const);
    const now = clock.now();
    const present = all.filter(([, state]) => state.leftOutUntil <= now);
    const [first] =
      present.length > 0
        ? present.toSorted(([, a], [, b]) => a.underWay - b.underWay || a.lastUsed - b.lastUsed)
        : all.toSorted(([, a], [, b]) => a.leftOutUntil - b.leftOutUntil);
    if (first === undefined) throw new TransportError("unreachable", "none of the servers is running at the moment");
    return [first[0], first[1]];
  };

  const leaveOut = (state: ReplicaState): void => {
    const leaveMs = Math.min(longestLeaveMs, firstLeaveMs * 2 ** state.failures++);
    state.leftOutUntil = clock.now() + leaveMs;
  };

  return {
    async send(request, signal) {
      const [baseUrl, state] = choose();
      state.underWay++;
      state.lastUsed = ++sent;
      try {
        const url = new URL(`${baseUrl}${request.path}${request.url.search}`);
        const response = await inner.send({ ...request, url }, signal);
        if (response.status >= 500) leaveOut(state);
        else Object.assign(state, { failures: 0, leftOutUntil: 0 });
        return response;
      } catch (error) {
        if (error instanceof TransportError) leaveOut(state);
        throw error;
      } finally {
        state.underWay--;
      }
    },
    close: () => inner.close(),
  };
}
