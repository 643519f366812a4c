/**
 * Builds `prebuilds/<platform>/kernels.node` from the C files here, with gcc and the headers that come with Node.js.
 * Users do not need this: the result is part of the package. Usage: node native/build.mjs [--check]; with --check it only
 * says whether the addon that is there was built from these files.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const addon = join(here, "..", "prebuilds", "linux-x64", "kernels.node");
const sources = readdirSync(here)
  .filter((name) => /\.[ch]$/.test(name))
  .toSorted();

/** Of all sources: the addon tells which it was built from. */
const digest = createHash("sha256");
for (const name of sources) digest.update(`${name}\0${readFileSync(join(here, name), "utf8")}\0`);
const sourceDigest = digest.digest("hex").slice(0, 16);

if (process.argv.includes("--check")) {
  const built = createRequire(import.meta.url)(addon).sourceDigest;
  if (built === sourceDigest) process.exit(0);
  console.error(`${addon} was built from other sources (${built}, not ${sourceDigest}); run: npm run build:native`);
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
    execFileSync("gcc", [...common, ...flags, "-c", join(here, name), "-o", object], { stdio: "inherit" });
    return object;
  };
  const include = join(dirname(process.execPath), "..", "include", "node");
  const built = [compile("addon.c", "addon.o", [`-I${include}`, `-DSOURCE_DIGEST="${sourceDigest}"`])];
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
