/** Reads JSON that nobody vouches for: any value in any place, nested as deeply as it may be. */

/** The fields of an object; none for anything else. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text with something in it; `null` for anything else. */
export function wordsOf(value: unknown): string | null {
  return typeof value === "string" && value.trim() !== "" ? value : null;
}

/** A number that JSON can hold, also one that was written as a text; `null` for anything else. */
export function numberOf(value: unknown): number | null {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : null;
}

/**
 * `JSON.parse` that takes the `NaN` and `Infinity` of Python's writers for null.
 * @throws SyntaxError for what is not JSON all the same.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/\b(?:NaN|Infinity)\b/.test(text)) throw error;
    const bare = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g;
    return JSON.parse(text.replace(bare, (found) => (found.startsWith('"') ? found : "null")));
  }
}

/** As JSON for a message, a text as it is; at most `longest` characters. */
export function showJson(value: unknown, longest = 1000): string {
  if (typeof value === "string") return shorten(value, longest);
  try {
    return shorten(JSON.stringify(value) ?? String(value), longest);
  } catch {
    // Deeper than the stack.
    return "(too deeply nested to be shown)";
  }
}

/** In quotes, for a message. */
export function quote(text: string): string {
  return JSON.stringify(shorten(text, 300));
}

function shorten(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
