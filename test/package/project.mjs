/** A project of a user's own, in an empty folder, where the packed package is installed. */
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";

/** @typedef {{ exitCode: number, stdout: string, stderr: string }} Result */

/**
 * Nothing of the npm that started this, whose settings are in the environment, reaches the one that is started; programs
 * named `node` are the Node that runs this.
 */
const environment = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) && name !== "INIT_CWD")),
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
  ...pick(["npm_config_registry", "npm_config_cache", "npm_config_userconfig", "npm_config_cafile"]),
};

/** @param {readonly string[]} names */
function pick(names) {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/**
 * @param {string} file @param {readonly string[]} args
 * @param {{ cwd: string, stdin?: string, env?: Record<string, string> }} options
 * @returns {Promise<Result>}
 */
export function run(file, args, { cwd, stdin, env }) {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: { ...environment, ...env }, maxBuffer: 2 ** 26 };
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") reject(error);
      else resolve({ exitCode: Number(error?.code ?? 0), stdout, stderr });
    });
    child.stdin?.end(stdin ?? "");
  });
}

/** @param {string} directory */
export async function makeProject(directory) {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "package.json"), JSON.stringify({ name: "own", private: true, type: "module" }));
}

/** Bytes of all files below, links not followed. @param {string} directory @returns {Promise<number>} */
export async function sizeOf(directory) {
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

/** Names of the installed packages that have a script to be run when they are installed. @param {string} modules */
export async function packagesWithInstallScript(modules) {
  const found = [];
  for (const entry of await readdir(modules, { recursive: true, withFileTypes: true })) {
    const isPackage =
      entry.name === "package.json" && /node_modules[/\\](@[^/\\]+[/\\])?[^/\\]+$/.test(entry.parentPath);
    if (!entry.isFile() || !isPackage) continue;
    const { name, scripts = {} } = JSON.parse(await readFile(join(entry.parentPath, entry.name), "utf8"));
    if (scripts.preinstall ?? scripts.install ?? scripts.postinstall) found.push(name);
  }
  return found;
}
