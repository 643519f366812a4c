/** `mucode config show`: what a command would run with, every key explained, as a file for `--config`. */
import { collectSchema } from "../config/collect-schema.ts";
import { evalSchema } from "../config/eval-schema.ts";
import { experimentSchema } from "../config/experiment-schema.ts";
import type { ConfigurationSchema } from "../config/keys.ts";
import { pretrainSchema } from "../config/pretrain-schema.ts";
import { fitVerifierSchema, importSchema } from "../config/recorded-schema.ts";
import { solveSchema } from "../config/solve-schema.ts";
import { trainSchema } from "../config/schema.ts";
import { renderToml } from "../config/toml.ts";
import { addConfigurationFlags, readConfiguration } from "./configuration-flags.ts";
import type { RegisterCommand } from "./context.ts";

const SCHEMAS: Readonly<Record<string, ConfigurationSchema>> = {
  train: trainSchema,
  solve: solveSchema,
  eval: evalSchema,
  experiment: experimentSchema,
  collect: collectSchema,
  import: importSchema,
  "fit-verifier": fitVerifierSchema,
  pretrain: pretrainSchema,
};

export const registerConfigCommand: RegisterCommand = (program, context) => {
  const config = program.command("config").description("look at the settings of commands");
  const show = config
    .command("show")
    .description("print the resolved settings of a command as TOML, every key explained; for its --config");
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    const command = show.command(name).description(`settings of \`mucode ${name}\``);
    addConfigurationFlags(command, schema);
    command.action(() => {
      context.stdout.write(renderToml(schema, readConfiguration(command, schema)));
    });
  }
};
