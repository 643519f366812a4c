import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createHurriedClock } from "../../test/misbehaving-server.ts";
import { openClassificationServer, type ClassificationServer } from "./classification-server.ts";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close();
});

interface Reply {
  readonly status?: number;
  readonly body: unknown;
}

/** A server whose score of a sequence is its first token minus 5, where `odd` does not answer in its place. */
async function start(odd: (sequences: readonly number[][]) => Reply | undefined): Promise<ClassificationServer> {
  const server = createServer((incoming, response) => {
    let text = "";
    incoming.on("data", (chunk: Buffer) => (text += chunk));
    incoming.on("end", () => {
      // In the form of SGLang they are under another name.
      const { input = [] } = JSON.parse(text) as { input?: number[][] };
      const data = input.map(([token], index) => ({ index, probs: [token === 0 ? null : token! - 5] }));
      const { status = 200, body } = odd(input) ?? { body: { data } };
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
  const client = await openClassificationServer(
    {
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      model: "head",
      examples: [Int32Array.of(3), Int32Array.of(20)],
      retries: 1,
    },
    { clock: createHurriedClock(), environment: {} },
  );
  opened.push(client);
  return client;
}

const sequences = [7, 9, 8].map((token) => Int32Array.of(token));
const holds = (given: readonly number[][], token: number): boolean => given.some(([first]) => first === token);

describe("a classification server", () => {
  it.each([
    ["status 403", { status: 403, body: { error: { message: "flagged" } } }],
    ["status 400", { status: 400, body: { error: { message: "flagged" } } }],
    ["an error under status 200", { body: { error: { message: "flagged", code: 400 } } }],
  ])("that refuses one program scores the others of the request: %s", async (_name, reply) => {
    const client = await start((given) => (holds(given, 9) ? reply : undefined));
    const refused = { name: "RefusedError", message: expect.stringContaining("flagged") };
    expect(await client.classify(sequences)).toEqual([2, expect.objectContaining(refused), 3]);
  });

  it("that gives no number for one program gives those of the others", async () => {
    const client = await start(() => undefined);
    const none = expect.objectContaining({ name: "ModelServerError" });
    expect(await client.classify([...sequences, Int32Array.of(0)])).toEqual([2, 4, 3, none]);
  });

  it("that refuses everything after a while ends the run, with the server's words", async () => {
    let valid = true;
    const client = await start(() => (valid ? undefined : { status: 401, body: { error: { message: "expired" } } }));
    valid = false;
    await expect(client.classify(sequences)).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(/expired\nit wants a key/),
    });
  });

  it("that gives no scores says so with its words", async () => {
    const opening = start(() => ({ body: { object: "error", message: "this model does not support Classification" } }));
    await expect(opening).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("does not support Classification"),
    });
  });
});
