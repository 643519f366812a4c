/**
 * The judge of JavaScript's tests: they run in a trusted QuickJS process in which no program ever runs, against what the
 * program answered. Passing means that nothing is thrown and no `console.assert` is given a false condition.
 *
 * A test may call the program's functions with plain data (it sees what a call changes in the objects given to it, not in
 * objects inside them that it holds elsewhere), make instances of its classes and call their methods, and go on with
 * functions a call returns. It may not give the program functions of its own, look into objects of the program that are
 * not plain data, or be asynchronous: a rejection that nobody waits for would go unseen.
 */
import { allSettled } from "../concurrency.ts";
import { SandboxError, SuiteError } from "../errors.ts";
import { DECODING_SOURCE, ENCODING_SOURCE } from "../sandbox/quickjs/boot.ts";
import { createTrustedQuickjs, type TrustedCallOptions } from "../sandbox/quickjs/trusted-quickjs.ts";
import { blankText, type Position, statementAt } from "./javascript-source.ts";
import { createTestRun } from "./javascript-test-run.mjs";
import { unusableTest, type InvalidTest, type Judge, type Plan, type Replay } from "./judge.ts";

const MAX_CACHED_PLANS = 100_000;

type RawPlan = Plan | (InvalidTest & { readonly position?: Position });

/** A replay as the realm tells it: with places in the source instead of statements. */
type RawReplay =
  | Exclude<Replay, { kind: "failed" | "error" }>
  | {
      readonly calls: readonly string[];
      readonly kind: "failed";
      readonly obtained?: string;
      readonly position?: Position;
    }
  | {
      readonly calls: readonly string[];
      readonly kind: "error";
      readonly raised?: number;
      readonly exception?: string;
      readonly position?: Position;
    }
  | { readonly kind: "unsupported"; readonly reason: string };

export function createJavascriptJudge(): Judge {
  const trusted = createTrustedQuickjs({ source: `(${createTestRun})(${ENCODING_SOURCE}, ${DECODING_SOURCE})` });
  const plans = new Map<string, Promise<RawPlan>>();

  async function ask<T>(
    request: unknown,
    options?: TrustedCallOptions,
  ): Promise<T | { kind: "timed-out" | "out-of-memory" }> {
    const reply = await trusted.call(JSON.stringify(request), options);
    return reply.kind === "answered" ? (JSON.parse(reply.text) as T) : { kind: reply.kind };
  }

  async function makePlan(source: string): Promise<RawPlan> {
    if (/\b(?:async|await)\b|\.\s*then\s*\(/.test(blankText(source)))
      return { kind: "invalid", reason: "it is asynchronous, so that failures could go unseen" };
    const plan = await ask<RawPlan>({ what: "plan", source });
    if (!("calls" in plan) && plan.kind !== "invalid")
      throw new SandboxError("The judge could not read a test", { test: source.slice(0, 500), reason: plan.kind });
    return plan;
  }

  function planOne(source: string): Promise<RawPlan> {
    const known = plans.get(source);
    if (known) return known;
    const plan = makePlan(source);
    plan.catch(() => plans.delete(source));
    if (plans.size >= MAX_CACHED_PLANS) plans.delete(plans.keys().next().value as string);
    plans.set(source, plan);
    return plan;
  }

  return {
    async plan(sources) {
      const found = await allSettled(sources.map((source) => planOne(source.replaceAll("\r\n", "\n"))));
      return found.map((plan, index) => {
        if (plan.kind !== "invalid") return plan;
        const { position } = plan;
        const text = position && sources[index]?.split(/\r?\n/)[position.line - 1]?.trim();
        throw unusableTest(sources[index], text === undefined ? plan : { ...plan, line: position!.line, text });
      });
    },
    holds() {
      throw new RangeError("JavaScript tests are never taken apart into checks");
    },
    async replay(text, recording, options) {
      const source = text.replaceAll("\r\n", "\n");
      const calls = recording.map(({ call }) => call);
      const request = { what: "replay", source, recording: recording.map(({ call, answer }) => [call, answer]) };
      const result = await ask<RawReplay>(request, options);
      switch (result.kind) {
        case "unsupported":
          throw new SuiteError(`A test cannot be used: ${result.reason}`, { test: source });
        case "timed-out":
        case "out-of-memory":
          return { kind: result.kind, calls };
        case "failed":
        case "error": {
          const { position, ...rest } = result;
          return { ...rest, statement: position ? statementAt(source, position) : source.trim() };
        }
        default:
          return result;
      }
    },
    close: () => trusted.close(),
  };
}
