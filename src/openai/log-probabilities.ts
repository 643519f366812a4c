/** The likeliest tokens at the first position of a choice, from the forms in which servers give them. */
import { fieldsOf, listOf } from "./json-fields.ts";
import type { TokenLogprob } from "./model-server.ts";

/**
 * Likeliest first. Entries without a number are left out: an impossible token's log-probability is −∞, which JSON cannot
 * hold, and servers write null, "NaN" or "-inf". Without a list of the likeliest, the token that was chosen stands for
 * it. `null` where nothing is left.
 */
export function firstTokens(logprobs: unknown): TokenLogprob[] | null {
  const fields = fieldsOf(logprobs);
  const chat = fieldsOf(listOf(fields["content"])[0]);
  const chosen = [fields["tokens"], fields["token_logprobs"]].map((list) => listOf(list)[0]);
  const forms = [
    listOf(chat["top_logprobs"]),
    entriesOf(fieldsOf(listOf(fields["top_logprobs"])[0])),
    listOf(listOf(fields["top_logprobs"])[0]),
    [chat],
    [{ token: chosen[0], logprob: chosen[1] }],
  ];
  for (const form of forms) {
    const tokens = form.map(fieldsOf).flatMap(({ token, logprob }): TokenLogprob[] => {
      const isThere = typeof token === "string" && typeof logprob === "number" && Number.isFinite(logprob);
      return isThere ? [{ token, logprob }] : [];
    });
    if (tokens.length > 0) return tokens.toSorted((a, b) => b.logprob - a.logprob);
  }
  return null;
}

/** The older form of completions: a map from token to log-probability. */
function entriesOf(map: Readonly<Record<string, unknown>>): object[] {
  return Object.entries(map).map(([token, logprob]) => ({ token, logprob }));
}
