/**
 * The walls that flags of Node put around a sandbox's process, looked for from inside. A runtime that does not know a flag
 * may ignore it without a word, as Bun does.
 */

/** What is not there, as it reads after "ignores"; `undefined` where every wall stands. @returns {string | undefined} */
export function findMissingWall() {
  /** @type {{ has(scope: string, path?: string): boolean } | undefined} */
  const permission = /** @type {any} */ (process).permission;
  if (permission === undefined) return "Node's permission model (--permission)";
  // Node itself is no file that any process of a sandbox may read.
  const granted = [permission.has("fs.read", process.execPath), permission.has("fs.write"), permission.has("child")];
  if (granted.includes(true)) return "a part of Node's permission model (--permission)";
  if (generatesCode()) return "--disallow-code-generation-from-strings";
  return undefined;
}

function generatesCode() {
  try {
    // oxlint-disable-next-line no-new-func -- whether that can be done is the question
    return new Function("return true")() === true;
  } catch {
    return false;
  }
}
