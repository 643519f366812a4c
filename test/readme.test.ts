/** The README's first commands for whoever brings a model, and for whoever has none, run as they are printed. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { repository, runCommand } from "./command.ts";
import { startMisbehavingServer, type MisbehavingServer } from "./misbehaving-server.ts";

const FIB =
  "```python\ndef fib(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n```";

let readme: string;
let server: MisbehavingServer;
beforeAll(async () => {
  readme = await readFile(join(repository, "README.md"), "utf8");
  server = await startMisbehavingServer({ models: ["model"], text: () => FIB });
});
afterAll(() => server.close());

it("solve examples/fib.py with a model behind a server", async () => {
  const words = /^npx mucode (solve examples\/.*\$MODEL.*)$/m.exec(readme)![1]!.split(" ");
  const given: Record<string, string> = { $URL: server.baseUrl, $MODEL: "model" };
  const { exitCode, stdout } = await runCommand(words.map((word) => given[word] ?? word));
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^def fib\(n\):/m);
});

it("solve a task of the shipped model's own", async () => {
  const [, show, solve] = /^npx mucode (tasks show .*) \| npx mucode (solve -.*)$/m.exec(readme)!;
  const { stdout: task } = await runCommand(show!.split(" "));
  const solved = await new Promise<{ exitCode: number; stdout: string }>((resolve) => {
    const args = [join(repository, "bin/mucode.js"), ...solve!.split(" ")];
    const child = execFile(process.execPath, args, (error, stdout) =>
      resolve({ exitCode: error === null ? 0 : Number(error.code), stdout }),
    );
    child.stdin!.end(task);
  });
  expect(solved.exitCode).toBe(0);
  expect(solved.stdout).toMatch(/^def \w+\(/);
});
