/**
 * CPU time limits of programs in tests, so that no verdict depends on how fast the machine is. `MUCODE_TEST_SPEED`
 * (`test/any-speed.mjs`) makes the machine that many times as fast by them.
 */
const speed = Number(process.env["MUCODE_TEST_SPEED"] ?? 1);

/** For programs that end: most take some milliseconds, one takes ten seconds on a busy machine. */
export const PATIENT_MS = 600_000 * speed;

/** For programs that never end: they would reach any limit. It leaves time for what they do before. */
export const HASTY_MS = 1000 * speed;

/** For programs that only wait: the clock on the wall stops them, at five times this and a second. */
export const WAITING_MS = 200 * speed;
