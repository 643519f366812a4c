/** Which runtimes can run mucode. Nothing in here is newer than the oldest Node that must be able to read it. */

/** As in the `engines` of `package.json`. */
const OLDEST_NODE = 20;

/** Names and versions of what runs this, as `process.versions` has them. */
export type RuntimeVersions = Readonly<Record<string, string | undefined>>;

/** Why this runtime cannot run mucode, in one sentence; `undefined` where it can. */
export function refusalOf(versions: RuntimeVersions): string | undefined {
  const needed = `mucode needs Node ${OLDEST_NODE} or newer (https://nodejs.org)`;
  // Deno has neither all of the threads' options nor the permission model that the engine and the sandboxes rest on.
  if (versions["deno"] !== undefined) return `${needed} and does not run under Deno; this is Deno ${versions["deno"]}.`;
  if (Number.parseInt(versions["node"] ?? "0", 10) >= OLDEST_NODE) return undefined;
  return `${needed}; this is Node ${versions["node"]}.`;
}
