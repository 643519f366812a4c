/** Values from wherever they were given → one valid configuration, or an error that says what to change. */
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { listKeys, showValue, type ConfigurationKey, type ConfigurationSchema } from "./keys.ts";

/** Where values come from. */
export interface ConfigurationSource {
  /** How this source spells a key in messages: `--rollout.turns`, or `rollout.turns in run.toml`. */
  readonly spell: (key: ConfigurationKey) => string;
  /** The file it is, for messages about what is no key. */
  readonly file?: string;
  /** By dotted key; `undefined` counts as not given. */
  readonly values: Readonly<Record<string, unknown>>;
}

/**
 * Merges sources, the later ones winning, fills in defaults and checks every value.
 * @throws ConfigError with one line per mistake: the key or flag, the value, what is allowed; for an unknown key the
 *   nearest one.
 */
export function resolveConfiguration<S extends ConfigurationSchema>(
  schema: S,
  sources: readonly ConfigurationSource[],
): z.infer<S> {
  const keys = new Map(listKeys(schema).map((key) => [key.key, key]));
  const given = new Map<string, { value: unknown; source: ConfigurationSource }>();
  for (const source of sources) {
    for (const [key, value] of Object.entries(source.values)) {
      if (value !== undefined) given.set(key, { value, source });
    }
  }
  const unknown = [...given.keys()].filter((key) => !keys.has(key));
  if (unknown.length > 0) {
    const lines = unknown.map((key) => {
      const file = given.get(key)?.source.file;
      return `${file === undefined ? "" : `${file}: `}${unknownKeyMessage(key, [...keys.keys()])}`;
    });
    throw new ConfigError(lines.join("\n"), { keys: unknown });
  }
  const result = schema.safeParse(nest(new Map([...given].map(([key, { value }]) => [key, value]))));
  if (result.success) return result.data;
  const wrong = new Map(result.error.issues.map((issue) => [issue.path.join("."), issue.message]));
  const lines = [...wrong].map(([name, message]) => {
    const key = keys.get(name);
    const entry = given.get(name);
    if (key === undefined) return `${name}: ${message}`;
    if (entry === undefined) return `${key.flag} is needed: ${key.description}`;
    return invalidValueMessage(entry.source.spell(key), entry.value, key);
  });
  // One flag may set several keys, and one complaint about it is enough.
  throw new ConfigError([...new Set(lines)].join("\n"), { keys: [...wrong.keys()] });
}

/** Nested values from code, with defaults filled in. @throws ConfigError as {@link resolveConfiguration}. */
export function resolveInput<S extends ConfigurationSchema>(schema: S, input: z.input<S>): z.infer<S> {
  return resolveConfiguration(schema, [{ spell: ({ key }) => key, values: flattenValues(input as object) }]);
}

/**
 * Nested values, as a file gives them, by dotted key: `{ rollout: { turns: 2 } }` → `{ "rollout.turns": 2 }`.
 * Arrays stay values.
 */
export function flattenValues(nested: object, prefix = ""): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(nested) as [string, unknown][]) {
    const key = prefix === "" ? name : `${prefix}.${name}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      Object.assign(flat, flattenValues(value, key));
    } else flat[key] = value;
  }
  return flat;
}

/** `spelling: value is not allowed`, with what is, and for a misspelt choice the nearest one. */
export function invalidValueMessage(spelling: string, value: unknown, key: ConfigurationKey): string {
  const suggestion = typeof value === "string" && key.choices ? nearest(value, key.choices) : undefined;
  const hint = suggestion === undefined ? "" : ` (did you mean ${suggestion}?)`;
  return `${spelling}: ${showValue(value)} is not ${key.allowed}${hint}`;
}

function unknownKeyMessage(key: string, known: readonly string[]): string {
  const members = known.filter((candidate) => candidate.startsWith(`${key}.`));
  if (members.length > 0) return `${key} is a group of keys, not a value: ${members.join(", ")}`;
  const suggestion = nearestKey(key, known);
  return `unknown key ${key}${suggestion === undefined ? "" : `; did you mean ${suggestion}?`}`;
}

/** The nearest known key; a last part given without its group (`turns`) finds the first key that ends in it. */
export function nearestKey(key: string, known: readonly string[]): string | undefined {
  const lastPart = (dotted: string): string => dotted.slice(dotted.lastIndexOf(".") + 1);
  return nearest(key, known) ?? known.find((candidate) => lastPart(candidate) === lastPart(key));
}

function nest(flat: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const nested: Record<string, unknown> = {};
  for (const [key, value] of flat) {
    const parts = key.split(".");
    const last = parts.pop() as string;
    let group = nested;
    for (const part of parts) group = (group[part] ??= {}) as Record<string, unknown>;
    group[last] = value;
  }
  return nested;
}
