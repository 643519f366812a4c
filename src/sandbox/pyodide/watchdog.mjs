/**
 * A thread beside the interpreter that ends the process when its parent is gone. The main thread cannot do that itself
 * while a program keeps it busy: it would not hear the channel close, and would compute forever.
 */
import { workerData } from "node:worker_threads";

/** @type {{ parentPid: number }} */
const { parentPid } = workerData;

function parentIsAlive() {
  if (process.ppid !== parentPid) return false;
  try {
    process.kill(parentPid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

setInterval(() => {
  if (!parentIsAlive()) process.kill(process.pid, "SIGKILL");
}, 500);
