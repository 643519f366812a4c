/** Waiting in tests: for something that is to be seen, never for a time to pass. */

/** Between two looks; nothing depends on it. */
const LOOK_EVERY_MS = 10;
/** A net for what never comes, far beyond what anything takes on any machine. */
export const NEVER_MS = 600_000;

/** Looks until there is something (neither `undefined`, `null` nor `false`), and gives it back. */
export async function until<T>(look: () => T | undefined | null | false): Promise<T> {
  const started = performance.now();
  for (;;) {
    const found = look();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() - started > NEVER_MS) throw new Error(`never seen: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Calls `act` again and again until `work` is settled, and gives its result. */
export async function whileRunning<T>(work: Promise<T>, act: () => void): Promise<T> {
  const timer = setInterval(act, LOOK_EVERY_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/** Rejects when `work` does not come to an end. */
export async function orNever<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const never = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} does not end`)), NEVER_MS);
  });
  try {
    return await Promise.race([work, never]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Whether the event loop turns while a call of `work` is under way: it is called until the loop has turned ten times in
 * all, since a quick call may be over before this thread gets the processor again, and given up after a hundred calls.
 */
export async function loopTurnsDuring(work: () => Promise<unknown>): Promise<boolean> {
  let left = 10;
  for (let call = 0; call < 100; call++) {
    let running = true;
    const turn = (): void => {
      if (running && --left > 0) setImmediate(turn);
    };
    setImmediate(turn);
    await work();
    running = false;
    if (left === 0) return true;
  }
  return false;
}
