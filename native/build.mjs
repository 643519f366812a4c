/**
 * Builds `prebuilds/<platform>/kernels.node` from the C files here, with gcc and the headers that come with Node.js.
 * Users do not need this: the result is part of the package. Usage: node native/build.mjs [--check]; with --check it
 * only says whether the addon that is there was built from these files.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { sourceDigest, sourceDirectory, sourceNames } from "./source-digest.mjs";

const addon = join(sourceDirectory, "..", "prebuilds", "linux-x64", "kernels.node");
const unfinished = `${addon}.${process.pid}.tmp`;
const digest = sourceDigest();

if (process.argv.includes("--check")) {
  const built = createRequire(import.meta.url)(addon).sourceDigest;
  if (built === digest) process.exit(0);
  process.stderr.write(`${addon} was built from other sources (${built}, not ${digest}); run: npm run build:native\n`);
  process.exit(1);
}

const common = ["-O3", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fPIC"];
common.push("-fvisibility=hidden", "-ffunction-sections", "-Wall", "-Wextra", "-Werror");
const avx512 = [
  "-mavx512f",
  "-mavx512bw",
  "-mavx512dq",
  "-mavx512vl",
  "-mavx2",
  "-mfma",
  "-mbmi2",
  "-mprefer-vector-width=512",
];
/** Instruction sets for which all kernels are compiled, and their flags. */
const sets = { avx2: ["-mavx2", "-mfma", "-mbmi2"], avx512 };
/** The products of processors that have the tile unit as well: all else is AVX-512's there. */
const tileSource = "gemm-amx.c";
/** What has no kernels, and is compiled once. */
const onceSources = ["addon.c", "arguments.c", "attention-commands.c", "commands.c", "kernel-sets.c"];
const kernelSources = sourceNames().filter(
  (name) => name.endsWith(".c") && name !== tileSource && !onceSources.includes(name),
);

const objects = mkdtempSync(join(tmpdir(), "kernels-"));
try {
  const compile = (name, output, flags) => {
    const object = join(objects, output);
    execFileSync("gcc", [...common, ...flags, "-c", join(sourceDirectory, name), "-o", object], { stdio: "inherit" });
    return object;
  };
  const include = join(dirname(process.execPath), "..", "include", "node");
  const once = [`-I${include}`, `-DSOURCE_DIGEST="${digest}"`];
  const built = onceSources.map((name) => compile(name, `${name}.o`, once));
  for (const [set, flags] of Object.entries(sets))
    for (const name of kernelSources) built.push(compile(name, `${set}-${name}.o`, [`-DISA=${set}`, ...flags]));
  built.push(compile(tileSource, `${tileSource}.o`, ["-DISA=amx", ...avx512, "-mamx-tile", "-mamx-bf16", "-mprfchw"]));
  mkdirSync(dirname(addon), { recursive: true });
  // Under another name first: processes that have the addon loaded keep the file that they have.
  const link = ["-shared", "-s", "-static-libgcc", "-Wl,--gc-sections", "-Wl,-z,relro,-z,now", "-o", unfinished];
  execFileSync("gcc", [...link, ...built], { stdio: "inherit" });
  renameSync(unfinished, addon);
} finally {
  rmSync(objects, { recursive: true, force: true });
  rmSync(unfinished, { force: true });
}
