/** `mucode serve`: a checkpoint behind OpenAI's API, until it is told to stop. */
import { once } from "node:events";
import { serve } from "../server/serve.ts";
import { serveSchema } from "../server/serve-schema.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";

export const registerServeCommand: RegisterCommand = (program, context) => {
  const command = program
    .command("serve")
    .description(
      "Serve a checkpoint by OpenAI's API: chat completions and completions; a model of scores by /classify.",
    );
  addConfigurationFlags(command, serveSchema);
  command.action(async () => {
    const configuration = readConfiguration(command, serveSchema);
    // Never a flag: other users of a machine can read those.
    const apiKey = process.env["MUCODE_API_KEY"];
    const server = await serve({
      configuration,
      ...(apiKey !== undefined && apiKey !== "" && { apiKey }),
      onNotice: (line) => context.stderr.write(`${line}\n`),
      onError: (error) => context.stderr.write(`mucode: ${error instanceof Error ? error.message : String(error)}\n`),
    });
    context.expectTermination();
    context.stderr.write(`Serving ${server.model} at ${server.url}\n`);
    if (!context.signal.aborted) await once(context.signal, "abort");
    await server.close();
  });
};
