/** A streamed answer as one that was not: some gateways stream whatever is asked for. */
import { complaintIn } from "./complaints.ts";
import { fieldsOf, listOf, parseJson } from "./json-fields.ts";

/** Whether a body is a stream of server-sent events: its first line is a field or a comment. */
export function isEventStream(body: string): boolean {
  return /^\s*(?:data|event|id|retry)?:/.test(body.slice(0, 200));
}

/**
 * The value that the server would have given without streaming; the event that complains, where one does. A choice that
 * is not finished when the stream ends has the finish reason `error`.
 * @throws SyntaxError for an event that is not JSON.
 */
export function assembleStream(body: string): unknown {
  const choices = new Map<number, Record<string, unknown>>();
  let usage: unknown = null;
  let model: unknown = null;
  for (const data of eventsOf(body)) {
    if (data === "[DONE]") break;
    const chunk = parseJson(data);
    if (complaintIn(chunk) !== null) return chunk;
    const fields = fieldsOf(chunk);
    usage = fields["usage"] ?? usage;
    model ??= fields["model"];
    for (const choice of listOf(fields["choices"]).map(fieldsOf)) {
      const index = typeof choice["index"] === "number" ? choice["index"] : 0;
      const known = choices.get(index) ?? { index, finish_reason: null, message: {} };
      choices.set(index, {
        ...join(known, { ...choice, index: undefined, delta: undefined, message: undefined, finish_reason: undefined }),
        finish_reason: choice["finish_reason"] ?? known["finish_reason"],
        message: join(fieldsOf(known["message"]), fieldsOf(choice["delta"] ?? choice["message"])),
      });
    }
  }
  return {
    model,
    usage,
    choices: [...choices.values()].map((choice) => ({ ...choice, finish_reason: choice["finish_reason"] ?? "error" })),
  };
}

/** The data of each event; several lines of one belong together. */
function eventsOf(body: string): string[] {
  return body
    .replace(/\r\n?/g, "\n")
    .split(/\n{2,}/)
    .map((event) =>
      event
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice("data:".length).trim())
        .join("\n"),
    )
    .filter((data) => data !== "");
}

/** Texts and lists grow, objects grow field by field, and the last of anything else stays; the role never changes. */
function join(
  known: Readonly<Record<string, unknown>>,
  added: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const joined: Record<string, unknown> = { ...known };
  for (const [key, value] of Object.entries(added)) {
    const before = known[key];
    if (value === null || value === undefined) continue;
    if (typeof before === "string" && typeof value === "string") joined[key] = key === "role" ? value : before + value;
    else if (Array.isArray(before) && Array.isArray(value)) for (const item of value) before.push(item);
    else if (isObject(before) && isObject(value)) joined[key] = join(fieldsOf(before), fieldsOf(value));
    else joined[key] = value;
  }
  return joined;
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);
