/** Waiting in tests: for something that is to be seen, never for a time to pass. */

/** Between two looks; nothing depends on it. */
const LOOK_EVERY_MS = 10;
/** A net for what never comes, far beyond what anything takes on any machine. */
const NEVER_MS = 600_000;

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
