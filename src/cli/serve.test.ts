import { EventEmitter } from "node:events";
import OpenAI from "openai";
import { afterEach, describe, expect, it, vi } from "vitest";
import { main } from "./main.ts";

afterEach(() => vi.unstubAllEnvs());

function run(argv: readonly string[]): {
  readonly signals: EventEmitter;
  readonly ended: Promise<number>;
  readonly output: () => { readonly stdout: string; readonly stderr: string };
} {
  const written = { stdout: "", stderr: "" };
  const signals = new EventEmitter();
  const stream = (name: "stdout" | "stderr") => ({ write: (text: string) => (written[name] += text) });
  const ended = main(argv, { stdout: stream("stdout"), stderr: stream("stderr"), signals });
  return { signals, ended, output: () => written };
}

describe("mucode serve", () => {
  it("says where it serves which model, and stops when told to", async () => {
    vi.stubEnv("MUCODE_API_KEY", "");
    const { signals, ended, output } = run(["serve", "--port", "0", "--threads", "1"]);
    const ready = /^Serving mubpp-base at (http:\/\/127\.0\.0\.1:\d+\/v1)\n$/;
    await expect.poll(() => output().stderr).toMatch(ready);
    const client = new OpenAI({ baseURL: ready.exec(output().stderr)![1]!, apiKey: "none" });
    const answer = await client.completions.create({ model: "mubpp-base", prompt: "def", max_tokens: 3 });
    expect(answer.choices[0]!.text).not.toBe("");
    signals.emit("SIGTERM");
    expect(await ended).toBe(0);
    expect(output().stdout).toBe("");
    await expect(client.models.list({ maxRetries: 0 })).rejects.toThrow(/connect/i);
  });

  it("takes its key from the environment alone", async () => {
    vi.stubEnv("MUCODE_API_KEY", "");
    const without = run(["serve", "--port", "0", "--host", "0.0.0.0"]);
    expect(await without.ended).toBe(2);
    expect(without.output().stderr).toMatch(/host is 0\.0\.0\.0.*MUCODE_API_KEY/);
    expect(await run(["serve", "--api-key", "k"]).ended).toBe(2);
    vi.stubEnv("MUCODE_API_KEY", "secret-key");
    const { signals, ended, output } = run(["serve", "--port", "0"]);
    await expect.poll(() => output().stderr).toMatch(/^Serving/);
    const baseURL = /http\S+/.exec(output().stderr)![0];
    await expect(new OpenAI({ baseURL, apiKey: "wrong" }).models.list()).rejects.toMatchObject({ status: 401 });
    expect((await new OpenAI({ baseURL, apiKey: "secret-key" }).models.list()).data).toHaveLength(1);
    expect(output().stderr).not.toContain("secret-key");
    signals.emit("SIGINT");
    expect(await ended).toBe(130);
  });
});
