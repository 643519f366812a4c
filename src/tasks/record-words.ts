/** What is wrong with a record, in words for whoever wrote it. */
import type { z } from "zod";
import { nearest } from "../nearest.ts";

/** A key of a record (dotted; `record` for the whole) and what is wrong with its value. */
export interface RecordProblem {
  readonly key: string;
  readonly message: string;
}

export interface RecordWords {
  /** Keys that a record may have: for suggestions. Default: none are suggested. */
  readonly keys?: readonly string[];
  /** Keys of the objects within it. */
  readonly innerKeys?: readonly string[];
  /** What a key means, for one that is missing. */
  readonly describe?: (key: string) => string | undefined;
}

/** The problems of a record that a schema refused, the likeliest cause first. At least one. */
export function describeProblems(
  issues: readonly z.core.$ZodIssue[],
  record: unknown,
  words: RecordWords = {},
): RecordProblem[] {
  const ordered = issues.toSorted((a, b) => Number(isUnknownKey(b)) - Number(isUnknownKey(a)));
  return ordered.flatMap((issue) => describeIssue(issue, record, words));
}

/** `no such key`, with the key that was most likely meant. */
export function describeUnknownKey(key: string, known: readonly string[]): string {
  const guess = nearest(key, known);
  if (guess !== undefined) return `no such key; did you mean "${guess}"?`;
  return known.length === 0 ? "no such key" : `no such key; the keys are ${known.join(", ")}`;
}

function isUnknownKey({ code }: z.core.$ZodIssue): boolean {
  return code === "unrecognized_keys";
}

function describeIssue(issue: z.core.$ZodIssue, record: unknown, words: RecordWords): RecordProblem[] {
  const path = issue.path.map(String);
  const key = path.join(".") || "record";
  if (issue.code === "unrecognized_keys") {
    const known = (path.length === 0 ? words.keys : words.innerKeys) ?? [];
    return issue.keys.map((one) => ({ key: [...path, one].join("."), message: describeUnknownKey(one, known) }));
  }
  if (issue.code === "custom") return [{ key, message: issue.message }];
  const value = path.reduce<unknown>((at, part) => (isObject(at) ? at[part] : undefined), record);
  if (value === undefined && path.length > 0) return [{ key, message: describeMissing(path, record, words) }];
  switch (issue.code) {
    case "invalid_type":
      return [{ key, message: `expected ${article(issue.expected)}, found ${showShort(value)}` }];
    case "invalid_value":
      return [{ key, message: describeChoice(value, issue.values.map(String)) }];
    case "invalid_union": {
      const choices = (issue as { readonly options?: readonly unknown[] }).options ?? [];
      return [{ key, message: choices.length === 0 ? issue.message : describeChoice(value, choices.map(String)) }];
    }
    default:
      return [{ key, message: issue.message }];
  }
}

function describeMissing(path: readonly string[], record: unknown, { describe }: RecordWords): string {
  const meaning = path.length === 1 ? describe?.(path[0]!) : undefined;
  const found = path.length === 1 && isObject(record) ? ` (the keys here are ${Object.keys(record).join(", ")})` : "";
  return `is missing${meaning === undefined ? "" : `: ${lowered(meaning)}`}${found}`;
}

function describeChoice(value: unknown, choices: readonly string[]): string {
  const guess = typeof value === "string" ? nearest(value, choices) : undefined;
  const hint = guess === undefined ? "" : `; did you mean "${guess}"?`;
  return `expected ${choices.map((choice) => `"${choice}"`).join(" or ")}, found ${showShort(value)}${hint}`;
}

function article(type: string): string {
  const names: Readonly<Record<string, string>> = { array: "a list", object: "an object", int: "a whole number" };
  return names[type] ?? `a ${type}`;
}

function showShort(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (isObject(value)) return "an object";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function lowered(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
