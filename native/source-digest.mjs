/** Which C files there are, and what tells them and their flags from others: the addon says which it was built from. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the sources are. */
export const sourceDirectory = dirname(fileURLToPath(import.meta.url));

/** Their names, in order. */
export const sourceNames = () =>
  readdirSync(sourceDirectory)
    .filter((name) => /\.[ch]$/.test(name))
    .toSorted();

/** Of the C files and the script that builds them, names and contents. */
export function sourceDigest() {
  const digest = createHash("sha256");
  for (const name of [...sourceNames(), "build.mjs"])
    digest.update(`${name}\0${readFileSync(join(sourceDirectory, name), "utf8")}\0`);
  return digest.digest("hex").slice(0, 16);
}
