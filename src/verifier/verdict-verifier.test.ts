import { afterEach, describe, expect, it } from "vitest";
import {
  createHurriedClock,
  startMisbehavingServer,
  type AskedRequest,
  type MisbehavingServer,
  type MisbehavingServerOptions,
} from "../../test/misbehaving-server.ts";
import { openModelServer, type ModelServerOptions } from "../openai/server.ts";
import type { Task } from "../tasks/task.ts";
import { createVerdictVerifier, verdictMargin } from "./verdict-verifier.ts";
import type { Verifier } from "./verifier.ts";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close();
});

async function start(
  behaviour: MisbehavingServerOptions,
  options: Partial<ModelServerOptions> & { showPublicTests?: boolean } = {},
): Promise<{ server: MisbehavingServer; verifier: Verifier }> {
  const { showPublicTests = true, ...rest } = options;
  const server = await startMisbehavingServer(behaviour);
  opened.push(server);
  const surroundings = { clock: createHurriedClock(), environment: {} };
  const model = await openModelServer({ baseUrl: server.baseUrl, retries: 1, ...rest }, surroundings);
  opened.push(model);
  return { server, verifier: await createVerdictVerifier({ server: model, showPublicTests }) };
}

const task: Task = {
  id: "t/1",
  prompt: "Add two numbers.",
  language: "python",
  entryPoint: "add",
  publicTests: [{ kind: "assert", source: "assert add(1, 2) == 3" }],
  goldProgram: "def add(a, b):\n    return b + a\n",
};
const program = "def add(a, b):\n    return a + b\n";

const textOf = (request: AskedRequest): string => JSON.stringify(request.body);
const plain = { yes: -0.1, no: -2.5 };

describe("a verdict", () => {
  it("is the margin between yes and no, over all their spellings", () => {
    const probabilities = { Yes: 0.4, "▁yes": 0.1, " YES": 0.05, No: 0.2, Ġno: 0.1, Maybe: 0.05 };
    const tokens = Object.entries(probabilities).map(([token, p]) => ({ token, logprob: Math.log(p) }));
    expect(verdictMargin(tokens)).toBeCloseTo(Math.log(0.55 / 0.3), 12);
  });

  it("that is not listed gets the bound that the list gives", () => {
    const tokens = (probabilities: Record<string, number>) =>
      Object.entries(probabilities).map(([token, p]) => ({ token, logprob: Math.log(p) }));
    expect(verdictMargin(tokens({ yes: 0.5, x: 0.1, y: 0.02 }))).toBeCloseTo(Math.log(0.5 / 0.02), 12);
    // The list leaves less than its least likely token has.
    expect(verdictMargin(tokens({ no: 0.9, x: 0.09 }))).toBeCloseTo(Math.log(0.01 / 0.9), 9);
    expect(verdictMargin([...tokens({ yes: 0.5, x: 0.1 }), { token: "no", logprob: -9999 }])).toBeCloseTo(
      Math.log(0.5 / 0.1),
      12,
    );
  });

  it("does not exist without yes and no, and only whole words count", () => {
    const tokens = ["yesterday", "not", "none", "y", "<think>"].map((token) => ({ token, logprob: -2 }));
    expect(verdictMargin(tokens)).toBeNull();
    expect(verdictMargin([])).toBeNull();
  });
});

describe("a verifier on a model server", () => {
  it.each(["chat", "completions"] as const)("scores by the %s protocol", async (api) => {
    const logprobs = (request: AskedRequest): Record<string, number> =>
      textOf(request).includes("return a - b") ? { " no": -0.2, " yes": -1.8 } : plain;
    const { server, verifier } = await start({ logprobs }, { api });
    expect(await verifier.score({ task, program })).toBeCloseTo(2.4, 12);
    expect(await verifier.score({ task, program: program.replace("+", "-") })).toBeCloseTo(-1.6, 12);
    const { body } = server.requests.at(-1)!;
    expect(body).toMatchObject({ max_tokens: 1, logprobs: api === "chat" ? true : 20 });
    expect(body["top_logprobs"]).toBe(api === "chat" ? 20 : undefined);
  });

  it("shows the model the task and the program, and the public tests only if asked to", async () => {
    const shown = await start({ logprobs: () => plain });
    await shown.verifier.score({ task, program });
    const text = textOf(shown.server.requests.at(-1)!);
    for (const part of [task.prompt, program.trim(), "assert add(1, 2) == 3"]) {
      expect(text).toContain(JSON.stringify(part).slice(1, -1));
    }
    expect(text).not.toContain("b + a");
    const hidden = await start({ logprobs: () => plain }, { showPublicTests: false });
    await hidden.verifier.score({ task, program });
    expect(textOf(hidden.server.requests.at(-1)!)).not.toContain("assert");
  });

  it("is refused on a server without log-probabilities, with the reason", async () => {
    await expect(start({})).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(/tiny cannot be a verifier: .* gives no log-probabilities\n.*use a server that/),
    });
    const refuses = { status: 400, body: { error: { message: "logprobs are not supported" } } };
    await expect(start({ behaviour: () => refuses })).rejects.toThrow(/cannot be a verifier: .*not supported/);
  });

  it("is refused for a model that does not answer with a verdict", async () => {
    await expect(start({ logprobs: () => ({ "<think>": -0.01, Well: -5 }) })).rejects.toThrow(
      /does not answer a yes-or-no question with yes or no \(it begins with "<think>", "Well"\)/,
    );
  });

  it("asks for five tokens where the server gives no more", async () => {
    const refuses = { status: 400, body: { error: { message: "top_logprobs must be at most 5" } } };
    const { server, verifier } = await start({
      logprobs: () => plain,
      behaviour: ({ body }) => (Number(body["top_logprobs"]) > 5 ? refuses : "answer"),
    });
    await verifier.score({ task, program });
    expect(server.requests.map(({ body }) => body["top_logprobs"])).toEqual([20, 5, 5]);
  });

  it("fails one item when neither verdict is listed, or when its answer is nonsense", async () => {
    const { verifier } = await start({
      logprobs: (request) => (textOf(request).includes("strange") ? { Hm: -0.5 } : plain),
      behaviour: (request) => (textOf(request).includes("broken") ? "empty choices" : "answer"),
    });
    await expect(verifier.score({ task, program: "strange" })).rejects.toMatchObject({ name: "VerifierError" });
    await expect(verifier.score({ task, program: "broken" })).rejects.toMatchObject({ name: "VerifierError" });
    expect(await verifier.score({ task, program })).toBeCloseTo(2.4, 12);
  });

  it("whose server refuses one question fails that item as refused, and scores the next", async () => {
    const flagged = { status: 403, body: { error: { message: "flagged" } } };
    const { verifier } = await start({
      logprobs: () => plain,
      behaviour: (request) => (textOf(request).includes("knife") ? flagged : "answer"),
    });
    await expect(verifier.score({ task, program: "knife" })).rejects.toMatchObject({ name: "RefusedError" });
    expect(await verifier.score({ task, program })).toBeCloseTo(2.4, 12);
  });

  it("scores by a list with holes in it", async () => {
    const hole = { token: "x", logprob: null };
    const top = [{ token: "yes", logprob: -0.1 }, { token: "no", logprob: -2.4 }, hole];
    const body = {
      choices: [{ message: { content: "yes" }, finish_reason: "stop", logprobs: { content: [{ top_logprobs: top }] } }],
    };
    const { verifier } = await start({ behaviour: () => ({ status: 200, body }) });
    expect(await verifier.score({ task, program })).toBeCloseTo(2.3, 12);
  });

  it("reads a token of white space in time that grows with its length", () => {
    const long = `a${" ".repeat(200_000)}b`;
    expect(verdictMargin([{ token: long, logprob: -1 }])).toBeNull();
  });

  it("gives a program that does not fit the context the lowest score", async () => {
    const tooLong = { status: 400, body: { error: { code: "context_length_exceeded", message: "too long" } } };
    const { verifier } = await start({
      logprobs: () => plain,
      behaviour: (request) => (request.text.length > 2000 ? tooLong : "answer"),
    });
    expect(await verifier.score({ task, program: "x = 1\n".repeat(500) })).toBe(-Infinity);
  });
});
