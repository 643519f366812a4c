import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import * as errors from "../../errors.ts";
import { receiveError, sendError, type SentError } from "./replica-messages.ts";

/** What really crosses: a structured clone of it. */
const crossed = (error: unknown): Error => receiveError(structuredClone(sendError(error)));

describe("an error that crosses between threads", () => {
  test.each(Object.entries(errors))("stays a %s, with its fields and causes", (name, Kind) => {
    const cause = new errors.StoreError("disk full", { file: "weights" }, { cause: new RangeError("inner") });
    const error = crossed(new Kind("what happened", { key: "a.b", line: 3 }, { cause }));
    expect(error).toBeInstanceOf(Kind);
    expect(Object.getPrototypeOf(error)).toBe(Kind.prototype);
    expect(error).toMatchObject({ name, message: "what happened", fields: { key: "a.b", line: 3 } });
    expect(error.cause).toBeInstanceOf(errors.StoreError);
    expect(error.cause).toMatchObject({ message: "disk full", fields: { file: "weights" } });
    expect((error.cause as Error).cause).toMatchObject({ name: "RangeError", message: "inner" });
  });

  test("is of the nearest known kind where its own is not known", () => {
    class KernelError extends errors.EngineError {}
    const error = crossed(new KernelError("no such kernel"));
    expect(error).toBeInstanceOf(errors.EngineError);
    expect(error.name).toBe("KernelError");
  });

  test.each([
    [new TypeError("x is not a function"), { name: "TypeError", message: "x is not a function" }],
    [new DOMException("stopped", "AbortError"), { name: "AbortError", message: "stopped" }],
    ["a word", { name: "Error", message: "a word" }],
    [undefined, { name: "Error" }],
  ])("keeps the name of others: %s", (thrown, expected) => {
    expect(crossed(thrown)).toMatchObject(expected);
  });

  test("carries what Node.js posts, from a real thread", async () => {
    const sent = sendError(new errors.StoreError("disk full", { file: "weights" }));
    const code =
      "const { parentPort, workerData } = require('node:worker_threads'); parentPort.postMessage(workerData);";
    const worker = new Worker(code, { eval: true, workerData: sent });
    const received = await new Promise<SentError>((resolve) => worker.once("message", resolve));
    await worker.terminate();
    expect(receiveError(received)).toBeInstanceOf(errors.StoreError);
  });
});
