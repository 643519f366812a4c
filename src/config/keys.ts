/** A configuration schema as a flat list of keys: what help, flags and messages are made from. */
import { z } from "zod";

/** A schema of configuration: groups of keys, nested as in a file. */
export type ConfigurationSchema = z.ZodObject;

export interface ConfigurationKey {
  /** As in a file, dotted: `rollout.maxTokens`. */
  readonly key: string;
  /** As on the command line: dots stay, camelCase becomes kebab-case: `--rollout.max-tokens`. */
  readonly flag: string;
  /** One line for people. */
  readonly description: string;
  readonly type: "integer" | "number" | "boolean" | "string";
  /** For a key with named values. */
  readonly choices?: readonly string[];
  /** In words: `an integer of at least 1`, `one of outcome, verifier`. */
  readonly allowed: string;
  /** `undefined` for a key that may be left out. */
  readonly defaultValue: unknown;
}

/**
 * Every key of a schema, in its order.
 * @throws TypeError for a schema with a key that has no description or is of a kind that flags cannot express.
 */
export function listKeys(schema: ConfigurationSchema, prefix = ""): ConfigurationKey[] {
  return Object.entries(schema.shape).flatMap(([name, value]) => {
    const key = prefix === "" ? name : `${prefix}.${name}`;
    const group = unwrap(value as z.ZodType);
    if (group instanceof z.ZodObject) return listKeys(group, key);
    return [describeKey(key, value as z.ZodType)];
  });
}

/** `rollout.maxTokens` → `--rollout.max-tokens`. */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** A value for people: what was given, or a default. */
export function showValue(value: unknown): string {
  if (typeof value === "string") return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  return value === undefined ? "not set" : JSON.stringify(value);
}

/** The parts of a JSON schema that describe a leaf. */
interface LeafSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly default?: unknown;
  readonly description?: string;
}

function describeKey(key: string, schema: z.ZodType): ConfigurationKey {
  const leaf = z.toJSONSchema(schema, { io: "input" }) as LeafSchema;
  const type = leaf.type;
  if (type !== "integer" && type !== "number" && type !== "boolean" && type !== "string") {
    throw new TypeError(`configuration key ${key} is of a kind that a flag cannot express`);
  }
  if (leaf.description === undefined) throw new TypeError(`configuration key ${key} has no description`);
  return {
    key,
    flag: flagOf(key),
    description: leaf.description,
    type,
    ...(leaf.enum === undefined ? {} : { choices: leaf.enum }),
    allowed: describeAllowed(type, leaf),
    defaultValue: leaf.default,
  };
}

function describeAllowed(type: ConfigurationKey["type"], leaf: LeafSchema): string {
  if (leaf.enum !== undefined) return `one of ${leaf.enum.join(", ")}`;
  if (type === "boolean") return "true or false";
  if (type === "string") return (leaf.minLength ?? 0) > 0 ? "text that is not empty" : "text";
  const noun = type === "integer" ? "an integer" : "a number";
  // An integer of JSON always has bounds; those of safe integers say nothing.
  const low = leaf.minimum === Number.MIN_SAFE_INTEGER ? undefined : leaf.minimum;
  const high = leaf.maximum === Number.MAX_SAFE_INTEGER ? undefined : leaf.maximum;
  const { exclusiveMinimum: above, exclusiveMaximum: below } = leaf;
  if (low !== undefined && high !== undefined) return `${noun} from ${low} to ${high}`;
  const bounds = [
    ...(low === undefined ? [] : [`of at least ${low}`]),
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
    ...(high === undefined ? [] : [`of at most ${high}`]),
  ];
  return bounds.length === 0 ? noun : `${noun} ${bounds.join(" and ")}`;
}

function unwrap(schema: z.ZodType): z.ZodType {
  let inner: unknown = schema;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
    inner = inner.def.innerType;
  }
  return inner as z.ZodType;
}
