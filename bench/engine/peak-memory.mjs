import { readFile } from "node:fs/promises";

/**
 * The most that this process had resident, memory that its threads share counted once. Linux counts what the parent had
 * resident when it forked as this process's own (`maxRSS`), but not in its high-water mark.
 */
export async function peakBytes() {
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const mark = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return 1024 * (mark === undefined ? process.resourceUsage().maxRSS : Number(mark));
}
