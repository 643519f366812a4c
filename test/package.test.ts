/** What a clone and its first commands rest on; `npm run test:package` tries the packed package. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { repository } from "./command.ts";

const readJson = async (name: string): Promise<any> => JSON.parse(await readFile(join(repository, name), "utf8"));

it("no package of the lock file is one whose install script npm would run", async () => {
  const { packages } = (await readJson("package-lock.json")) as { packages: Record<string, object> };
  const flagged = Object.keys(packages).filter((path) => "hasInstallScript" in packages[path]!);
  expect(flagged, "delete hasInstallScript from these entries: docs/decisions/0016").toEqual([]);
});

it("the package has no script that npm runs, or warns of, where it is installed", async () => {
  const { scripts } = await readJson("package.json");
  for (const name of ["preinstall", "install", "postinstall", "prepare", "prepublish"]) {
    expect(scripts).not.toHaveProperty(name);
  }
});

it("ONNX Runtime is the same version in a clone, as a peer and in the message, and never a dependency", async () => {
  const { dependencies, devDependencies, peerDependencies, peerDependenciesMeta } = await readJson("package.json");
  expect(dependencies).not.toHaveProperty("onnxruntime-node");
  expect(devDependencies["onnxruntime-node"]).toBe(peerDependencies["onnxruntime-node"]);
  expect(peerDependenciesMeta["onnxruntime-node"]).toEqual({ optional: true });
});

it("npm knows every key of .npmrc", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mucode-npm-"));
  try {
    // Of the settings of whoever runs this nothing counts: none in the environment, no file of the user's.
    const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
    const env = { ...Object.fromEntries(own), npm_config_userconfig: join(directory, "none") };
    const shell = process.platform === "win32";
    const { stderr } = await promisify(execFile)("npm", ["config", "get", "fund"], { cwd: repository, env, shell });
    expect(stderr.split("\n").filter((line) => line.includes("project config"))).toEqual([]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
