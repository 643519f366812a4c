/** Lines about a model and what it cost, for people. */
import type { ModelDescription, VerifierDescription } from "../api/model-source.ts";
import type { Usage } from "../openai/server.ts";
import type { Fingerprint } from "../tasks/fingerprint.ts";

export function describeModel(model: ModelDescription): string {
  if (model.kind === "checkpoint") return `${model.checkpoint} (sha256 ${model.sha256.slice(0, 12)})`;
  const { choices, sampling, usage, logprobs } = model.capabilities;
  const facts = [
    fact("n", choices),
    fact("token counts", usage),
    fact("log-probabilities", logprobs),
    sampling === false ? "the same answer to every seed" : undefined,
  ].filter((text) => text !== undefined);
  const found = facts.length === 0 ? "" : `; ${facts.join(", ")}`;
  const where = model.replayed === null ? `at ${model.baseUrl}` : `replayed from ${model.replayed}`;
  return `${model.model} ${where} (${model.api}${found})`;
}

function fact(name: string, has: boolean | null): string | undefined {
  return has === null ? undefined : `${has ? "" : "no "}${name}`;
}

export function describeVerifier(verifier: VerifierDescription | null): string {
  if (verifier === null) return "none";
  return verifier.kind === "served"
    ? `${verifier.model}, zero-shot by a verdict token`
    : `${verifier.checkpoint} (sha256 ${verifier.sha256.slice(0, 12)})`;
}

export function describeFingerprint({ name, version, sha256 }: Fingerprint): string {
  return `${name} ${version} (sha256 ${sha256.slice(0, 12)})`;
}

export function describeUsage(usage: Usage): string {
  const { requests, failedRequests, reasoningOnly, promptTokens, completionTokens, cost } = usage;
  const count = (tokens: number | null): string => (tokens === null ? "unknown" : tokens.toLocaleString("en-US"));
  return [
    `${requests} requests (${failedRequests} failed)`,
    `prompt tokens ${count(promptTokens)}`,
    `new tokens ${count(completionTokens)}`,
    ...(reasoningOnly > 0 ? [`${reasoningOnly} answers with a thought alone`] : []),
    `cost ${cost === null ? "unknown" : cost.toPrecision(4)}`,
  ].join(", ");
}
