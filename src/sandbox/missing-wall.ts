/** The refusal of a runtime that leaves out a wall of a sandbox: see `walls.mjs`. */
import { ConfigError } from "../errors.ts";

/** `wall` is what the sandbox's process found missing, before anything was run in it. */
export function missingWallError(sandbox: string, wall: string): ConfigError {
  const { bun, node } = process.versions;
  const runtime = bun === undefined ? `Node ${node}` : `Bun ${bun}`;
  return new ConfigError(
    `the ${sandbox} process is refused: ${runtime} ignores ${wall}, one of the walls around programs that nobody has ` +
      `read; run mucode with Node`,
    { sandbox, wall, runtime },
  );
}
