/**
 * Builds `prebuilds/<platform>/kernels.node` from the C files here, with gcc and the headers that come with Node.js.
 * Users do not need this: the result is part of the package. Usage: node native/build.mjs [--check]; with --check it only
 * says whether the addon that is there was built from these files.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { sourceDigest, sourceDirectory, sourceNames } from "./source-digest.mjs";

const addon = join(sourceDirectory, "..", "prebuilds", "linux-x64", "kernels.node");
const sources = sourceNames();
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
/** What is compiled for each instruction set: its flags, and whether a file is its own. */
const sets = {
  avx2: { flags: ["-mavx2", "-mfma", "-mbmi2"], takes: (name) => name !== "gemm-amx.c" },
  avx512: { flags: avx512, takes: (name) => name !== "gemm-amx.c" },
  amx: { flags: [...avx512, "-mamx-tile", "-mamx-bf16"], takes: (name) => name !== "gemm.c" },
};

const objects = mkdtempSync(join(tmpdir(), "kernels-"));
try {
  const compile = (name, output, flags) => {
    const object = join(objects, output);
    execFileSync("gcc", [...common, ...flags, "-c", join(sourceDirectory, name), "-o", object], { stdio: "inherit" });
    return object;
  };
  const include = join(dirname(process.execPath), "..", "include", "node");
  const built = [compile("addon.c", "addon.o", [`-I${include}`, `-DSOURCE_DIGEST="${digest}"`])];
  for (const [set, { flags, takes }] of Object.entries(sets)) {
    if (set === "amx" && !sources.includes("gemm-amx.c")) continue;
    for (const name of sources) {
      if (!name.endsWith(".c") || name === "addon.c" || !takes(name)) continue;
      built.push(compile(name, `${set}-${name}.o`, [`-DISA=${set}`, ...flags]));
    }
  }
  mkdirSync(dirname(addon), { recursive: true });
  const link = ["-shared", "-s", "-static-libgcc", "-Wl,--gc-sections", "-Wl,-z,relro,-z,now", "-o", addon];
  execFileSync("gcc", [...link, ...built], { stdio: "inherit" });
} finally {
  rmSync(objects, { recursive: true, force: true });
}
