/** Where two plain JSON values differ, by dotted key. */

export interface Difference {
  /** `rollout.turns`. */
  readonly key: string;
  /** `undefined` where the key is not set. */
  readonly before: unknown;
  readonly after: unknown;
}

/** Differing leaves in the order of the keys. Arrays are leaves; key order and keys set to `undefined` do not count. */
export function listDifferences(before: unknown, after: unknown): Difference[] {
  const left = flatten(before);
  const right = flatten(after);
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((key) => JSON.stringify(left.get(key)) !== JSON.stringify(right.get(key)))
    .toSorted()
    .map((key) => ({ key, before: left.get(key), after: right.get(key) }));
}

function flatten(value: unknown, prefix = "", leaves = new Map<string, unknown>()): Map<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (value !== undefined) leaves.set(prefix, value);
    return leaves;
  }
  for (const [key, inner] of Object.entries(value)) flatten(inner, prefix === "" ? key : `${prefix}.${key}`, leaves);
  return leaves;
}
