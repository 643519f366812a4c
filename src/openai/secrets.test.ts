import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHurriedClock, startMisbehavingServer, type MisbehavingServer } from "../../test/misbehaving-server.ts";
import { resolveAddress } from "./address.ts";
import { createRedactor } from "./secrets.ts";
import { openModelServer, type ModelServerOptions } from "./server.ts";

const key = 'sk-very/secret+key"0123456789';
const password = "p4ss:w0rd/of the user";

let directory: string;
let server: MisbehavingServer | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mucode-secrets-"));
});
afterEach(async () => {
  await server?.close();
  await rm(directory, { recursive: true });
});

const ask = { conversation: [{ role: "user", content: "Hi" }] as const, seeds: [1], temperature: 0.7, maxTokens: 5 };

/** Everything that a run leaves behind: errors with all they hold, log lines, the description, the recording. */
async function leftBehind(
  options: Partial<ModelServerOptions>,
  environment: Record<string, string> = {},
): Promise<string> {
  const record = join(directory, "answers.jsonl");
  const left: unknown[] = [];
  const log = (line: string) => left.push(line);
  try {
    const surroundings = { clock: createHurriedClock(), environment };
    const model = await openModelServer({ baseUrl: server!.baseUrl, record, log, ...options }, surroundings);
    left.push(model.description);
    for (let i = 0; i < 8; i++) await model.complete(ask).then(log as never, (error: unknown) => left.push(error));
    await model.close();
  } catch (error) {
    left.push(error);
  }
  const recorded = await readFile(record, "utf8").catch(() => "");
  return `${inspect(left, { depth: Infinity, showHidden: true })}\n${recorded}`;
}

const forms = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  Buffer.from(`user:${secret}`).toString("base64"),
];

describe("keys", () => {
  it("reach the server", async () => {
    server = await startMisbehavingServer({ key: "right" });
    const model = await openModelServer({ baseUrl: server.baseUrl, apiKey: "right" }, { environment: {} });
    await model.complete(ask);
    expect(server.requests[0]!.headers.authorization).toBe("Bearer right");
    await model.close();
  });

  it("stay out of logs, errors and recordings, even where the server repeats them", async () => {
    server = await startMisbehavingServer({
      answersAs: `model of ${key}`,
      text: () => `you sent Bearer ${key}`,
      behaviour: (request, index) => {
        const message = `Bad: ${request.headers.authorization} ${JSON.stringify(request.headers)}`;
        // The question that tells a refusal of one conversation from a refusal of all.
        if (request.text.includes("random words")) return "answer";
        const statuses = [400, 500, 401, 404, 429, 503];
        if (index % 7 === 6) return "answer";
        return { status: statuses[index % 7]!, body: index % 2 === 0 ? { error: { message } } : message };
      },
    });
    const left = await leftBehind({ apiKey: key, retries: 1 });
    expect(left).toContain("[key]");
    expect(left).toContain("status 400");
    for (const form of forms(key)) expect(left).not.toContain(form);
  });

  it("inside base URLs stay out as well", async () => {
    server = await startMisbehavingServer({ behaviour: ({ headers }) => ({ status: 400, body: { headers } }) });
    const url = new URL(server.baseUrl);
    url.username = "user";
    url.password = encodeURIComponent(password);
    url.searchParams.set("api-key", key);
    url.searchParams.set("api-version", "2026-01-01");
    const left = await leftBehind({ baseUrl: url.href });
    expect(server.requests[0]!.headers.authorization).toMatch(/^Basic /);
    expect(left).toContain("status 400");
    for (const form of [...forms(key), ...forms(password)]) expect(left).not.toContain(form);
    await server.close();
    const gone = await leftBehind({ baseUrl: url.href });
    expect(gone).toContain("nothing answers at");
    for (const form of [...forms(key), ...forms(password)]) expect(gone).not.toContain(form);
  });

  it("that are refused are named by where they came from", async () => {
    server = await startMisbehavingServer({ key: "right" });
    expect(await leftBehind({})).toContain("it wants a key: set MUCODE_API_KEY or OPENAI_API_KEY");
    const fromEnvironment = await leftBehind({}, { OPENAI_API_KEY: key });
    expect(fromEnvironment).toContain("it refuses the key in OPENAI_API_KEY");
    for (const form of forms(key)) expect(fromEnvironment).not.toContain(form);
  });

  it("in URLs that cannot be read are not repeated", async () => {
    const open = openModelServer({ baseUrl: `user:${password}@host` }, { environment: {} });
    await expect(open).rejects.toThrow(/^the base URL given cannot be used/);
  });
});

describe("the key that is used", () => {
  const authorization = (environment: Record<string, string>, apiKey?: string, baseUrl = "http://host/v1") =>
    resolveAddress({ baseUrl, environment, ...(apiKey !== undefined && { apiKey }) }).authorization;

  it("is the one given, else that of the URL, of MUCODE_API_KEY, of OPENAI_API_KEY, else none", () => {
    const both = { MUCODE_API_KEY: "mine", OPENAI_API_KEY: "theirs" };
    const withUser = "http://me:word@host/v1";
    const basic = `Basic ${Buffer.from("me:word").toString("base64")}`;
    expect(authorization(both, "given", withUser)).toBe("Bearer given");
    expect(authorization(both, undefined, withUser)).toBe(basic);
    expect(authorization(both)).toBe("Bearer mine");
    expect(authorization({ OPENAI_API_KEY: "theirs" })).toBe("Bearer theirs");
    expect(authorization({ OPENAI_API_KEY: " " })).toBeNull();
  });
});

describe("placeholder keys", () => {
  it("do not tear holes into what a model wrote", () => {
    const redactor = createRedactor(["EMPTY"]);
    expect(redactor.answer("EMPTY = ''")).toBe("EMPTY = ''");
    expect(redactor.message("refused: EMPTY")).toBe("refused: [key]");
  });
});
