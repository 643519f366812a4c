/**
 * Starts Node with as deep a stack as the system grants. Interpreters compiled to WebAssembly measure recursion by a
 * stack of their own inside it, always in the same way; V8's own stack, on which frames grow and shrink with how far V8 has
 * optimized them, must never end first, or the same program overflows in one run and not in the next.
 */
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { existsSync } from "node:fs";

/** Kilobytes that are asked for. Memory is taken when it is used: freeing a million nested lists needs most of it. */
const WANTED_KB = 512 * 1024;
const SHELL = "/bin/sh";
/** V8 gets seven eighths of what the limit allows, however little that is. */
const RAISE_LIMIT = `
ulimit -S -s $1 2>/dev/null || ulimit -S -s "$(ulimit -H -s)" 2>/dev/null
stack=$(ulimit -S -s)
[ "$stack" = unlimited ] && stack=$1
node=$2
shift 2
unset PWD OLDPWD SHLVL
exec "$node" "--stack-size=$((stack / 8 * 7))" "$@"`;

/**
 * Spawns this process's own Node. Where there is no POSIX shell to raise the limit (Windows), V8's stack is what it
 * always is, about 1 MB. The child's pid is Node's.
 */
export function spawnNode(values: readonly string[], options: SpawnOptions): ChildProcess {
  if (!existsSync(SHELL)) return spawn(process.execPath, values, options);
  const shell = ["-c", RAISE_LIMIT, SHELL, String(WANTED_KB), process.execPath, ...values];
  return spawn(SHELL, shell, options);
}
