import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ConfigError } from "../errors.ts";
import { silentProgress } from "../progress.ts";
import { cachedSnapshot, getSnapshot, isHubName, plannedDirectory } from "./hub-model.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const MODEL = { name: "someone/model", revision: "main" };
const FILES: Readonly<Record<string, string>> = {
  "config.json": "{}",
  "tokenizer_config.json": "{}",
  "model.safetensors.index.json": JSON.stringify({
    weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" },
  }),
  "model-1.safetensors": "one",
  "model-2.safetensors": "two",
  "original/consolidated.pth": "the same weights again",
};

const gitSha1 = (content: string): string =>
  createHash("sha1").update(`blob ${content.length}\0${content}`).digest("hex");
const entryOf = (path: string) => ({ type: "file", path, size: FILES[path]!.length, oid: gitSha1(FILES[path]!) });

describe("a model on the hub", () => {
  let cache = "";
  let server: Server;
  let served: string[] = [];
  let token: string | undefined;

  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), "mucode-hub-"));
    served = [];
    token = undefined;
    server = createServer(async (request, response) => {
      const { pathname } = new URL(request.url!, "http://hub");
      const send = (status: number, value: unknown, headers: Record<string, string> = {}): void => {
        response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(value));
      };
      if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
        return send(403, { error: "gated" });
      if (pathname === `/api/models/${MODEL.name}/revision/main`) return send(200, { id: MODEL.name, sha: COMMIT });
      if (pathname === `/api/models/${MODEL.name}/tree/${COMMIT}`) return send(200, Object.keys(FILES).map(entryOf));
      const path = pathname.split(`/${MODEL.name}/resolve/${COMMIT}/`)[1];
      const content = path === undefined ? undefined : FILES[path];
      if (path === undefined || content === undefined) return send(404, { error: "Repository not found" });
      served.push(path);
      const length = content.length;
      response.setHeader("ETag", `"${gitSha1(content)}"`);
      if (request.headers.range === undefined)
        return response.writeHead(200, { "Content-Length": length }).end(content);
      response.writeHead(206, { "Content-Range": `bytes 0-${length - 1}/${length}` }).end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    vi.stubEnv("HF_ENDPOINT", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv("HF_HUB_CACHE", cache);
    vi.stubEnv("HF_TOKEN", "");
  });

  afterEach(async () => {
    vi.unstubAllEnvs();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(cache, { recursive: true, force: true });
  });

  it("is downloaded once, without weights in other forms, and known by its commit", async () => {
    expect(cachedSnapshot(MODEL)).toBeUndefined();
    const snapshot = await getSnapshot(MODEL, { progress: silentProgress });
    expect(snapshot.commit).toBe(COMMIT);
    expect(await readFile(join(snapshot.directory, "model-2.safetensors"), "utf8")).toBe("two");
    expect(new Set(served)).not.toContain("original/consolidated.pth");
    served = [];
    expect(await getSnapshot(MODEL, { progress: silentProgress })).toEqual(snapshot);
    expect(served).toEqual([]);
    expect(plannedDirectory(MODEL)).toBe(snapshot.directory);
  });

  it("is taken from where Python's tools have put it, without the network, unless a shard is missing", async () => {
    const folder = join(cache, "models--someone--model");
    const directory = join(folder, "snapshots", COMMIT);
    await mkdir(join(folder, "refs"), { recursive: true });
    await mkdir(directory, { recursive: true });
    await writeFile(join(folder, "refs", "main"), COMMIT);
    const whole = Object.entries(FILES).filter(([path]) => !path.includes("/"));
    for (const [path, content] of whole) await writeFile(join(directory, path), content);
    expect(await getSnapshot(MODEL, { progress: silentProgress })).toEqual({ directory, commit: COMMIT });
    expect(served).toEqual([]);
    await rm(join(directory, "model-2.safetensors"));
    expect(cachedSnapshot(MODEL)).toBeUndefined();
  });

  it("that is gated or missing is told with what to do", async () => {
    token = "hf_secret";
    const gated = await getSnapshot(MODEL, { progress: silentProgress }).catch((error: unknown) => error);
    expect(gated).toBeInstanceOf(ConfigError);
    expect(String(gated)).toMatch(/accept its licence at http.*\/someone\/model and set HF_TOKEN/);
    vi.stubEnv("HF_TOKEN", "hf_secret");
    expect(await getSnapshot(MODEL, { progress: silentProgress })).toMatchObject({ commit: COMMIT });
    const missing = getSnapshot({ ...MODEL, name: "someone/else" }, { progress: silentProgress });
    await expect(missing).rejects.toThrow(/there is no model "someone\/else" with a revision "main"/);
  });

  it("is told from a directory by its name, unless there is such a directory", () => {
    expect(isHubName("meta-llama/Llama-3.2-1B-Instruct")).toBe(true);
    expect(["mubpp-base", "./models/x", "/models/x", "a/b/c", "src/api"].map(isHubName)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});
