/**
 * Loaded before Node programs: a machine that seems `MUCODE_TEST_SPEED` times as fast, since its timers take and its
 * clocks count that many times longer than the work beside them. Below 1 it seems slow.
 */
import timers from "node:timers";
import timersPromises from "node:timers/promises";
import { syncBuiltinESMExports } from "node:module";

const speed = Number(process.env["MUCODE_TEST_SPEED"] ?? 1);

/** Node takes no longer ones. */
const LONGEST_MS = 2 ** 31 - 1;

/** @param {unknown} durationMs */
const scaled = (durationMs) => Math.min(Number(durationMs ?? 0) * speed, LONGEST_MS);

/** @param {any} owner @param {string} name @param {number} position of the duration among the arguments */
function scale(owner, name, position) {
  const original = owner[name];
  const replacement = (/** @type {unknown[]} */ ...values) => {
    values[position] = scaled(values[position]);
    return original(...values);
  };
  // `promisify` finds the form that gives a promise by its symbols.
  owner[name] = Object.defineProperties(replacement, Object.getOwnPropertyDescriptors(original));
}

for (const owner of [globalThis, timers]) {
  scale(owner, "setTimeout", 1);
  scale(owner, "setInterval", 1);
}
scale(timersPromises, "setTimeout", 0);

const now = performance.now.bind(performance);
performance.now = () => now() / speed;
const date = Date.now.bind(Date);
const started = date();
Date.now = () => started + Math.round((date() - started) / speed);
syncBuiltinESMExports();
