/** What a server says is wrong, in whichever of their forms it says so. */
import { fieldsOf, listOf, numberOf, showJson, wordsOf } from "./json-fields.ts";

export interface Complaint {
  /** The server's words, with the facts beside them: token counts, codes. */
  readonly text: string;
  /** The HTTP status that the error itself names, 400 to 599; `null` where it names none. */
  readonly status: number | null;
}

/**
 * The error in a body, `null` where it holds none: `{"error": …}` (OpenAI, llama.cpp, Ollama, OpenRouter), also in a list
 * (Gemini), `{"object": "error"}` (older vLLM, SGLang), `{"detail": …}` (FastAPI), `{"message": …}` (gateways),
 * `{"errors": […]}` (Cloudflare), `{"base_resp": …}` (MiniMax). Beside choices or a list
 * of models only the first three count.
 */
export function complaintIn(body: unknown): Complaint | null {
  const value = Array.isArray(body) && body.length > 0 ? body[0] : body;
  const fields = fieldsOf(value);
  if (says(fields["error"])) return { text: show(fields["error"]), status: statusIn(fields["error"], value) };
  if (fields["object"] === "error" || fields["type"] === "error") {
    return { text: show(value), status: statusIn(value) };
  }
  if (Array.isArray(body) || [fields["choices"], fields["data"]].some((list) => listOf(list).length > 0)) return null;
  for (const key of ["errors", "detail", "message", "msg", "error_message", "error_msg", "Message", "base_resp"]) {
    // The facts are beside the words.
    if (says(fields[key])) return { text: show(value), status: statusIn(value, fields[key]) };
  }
  return null;
}

/** `"error": null`, `{}`, `""`, `false` and 0 say that there is none. */
function says(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return value === true || (typeof value === "number" && value !== 0) || wordsOf(value) !== null;
}

function statusIn(...places: readonly unknown[]): number | null {
  for (const place of places) {
    const fields = fieldsOf(Array.isArray(place) ? place[0] : place);
    for (const key of ["code", "status", "status_code", "statusCode", "http_code"]) {
      const status = numberOf(fields[key]);
      if (status !== null && Number.isInteger(status) && status >= 400 && status <= 599) return status;
    }
  }
  return null;
}

/** The message, then the other facts as JSON. */
function show(value: unknown): string {
  const { message, ...facts } = fieldsOf(value);
  if (wordsOf(message) === null) return showJson(value);
  const told = Object.entries(facts).filter(([, fact]) => fact !== null && fact !== "");
  return [showJson(message), ...(told.length > 0 ? [showJson(Object.fromEntries(told))] : [])].join(" ");
}
