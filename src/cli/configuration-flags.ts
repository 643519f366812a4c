/** A configuration schema as flags of a command, and what was given back as a configuration. */
import { readFileSync } from "node:fs";
import { Option, type Command } from "commander";
import type { z } from "zod";
import { listKeys, showValue, type ConfigurationKey, type ConfigurationSchema } from "../config/keys.ts";
import { flattenValues, resolveConfiguration, type ConfigurationSource } from "../config/resolve.ts";
import { parseTomlConfiguration } from "../config/toml.ts";
import { ConfigError } from "../errors.ts";

/** Short flags for keys that everybody uses; every other flag is spelt after its key. */
const aliases: Readonly<Record<string, string>> = {
  "suite.name": "--suite",
  "suite.data": "--data",
  "suite.limit": "--limit",
  "suite.split": "--split",
  "server.baseUrl": "--base-url",
  "server.model": "--model",
  "server.api": "--api",
  "server.maxRequests": "--max-requests",
  "server.maxTokens": "--max-tokens",
  "server.record": "--record",
  "server.replay": "--replay",
  "search.candidates": "--candidates",
  "search.turns": "--turns",
  "search.temperature": "--temperature",
  "search.select": "--select",
  "search.showPublicTests": "--show-public-tests",
};

/** Not a key of its own: it lowers all of these. */
const limitFlag = "--limit";
const limitedKeys = ["suite.trainTasks", "suite.testTasks"];

/**
 * Adds a flag per key, under a heading per group. The rule: `rollout.maxTokens` is `--rollout.max-tokens VALUE`; a flag
 * for true or false may stand alone and then means true. `--limit N`, where there are numbers of tasks, lowers each of
 * them to at most N.
 */
export function addConfigurationFlags(command: Command, schema: ConfigurationSchema): void {
  const keys = listKeys(schema);
  command.addOption(
    new Option(
      "--config <file>",
      "TOML file with any of the settings below; may be given several times: later files win, flags win over all",
    ).argParser((file: string, earlier: readonly string[] = []) => [...earlier, file]),
  );
  if (keys.some(({ key }) => limitedKeys.includes(key))) {
    command.addOption(new Option(`${limitFlag} <n>`, "At most this many tasks of every split, for a quick try"));
  }
  for (const key of keys) {
    const alias = aliases[key.key];
    const option = new Option(`${alias === undefined ? "" : `${alias}, `}${key.flag} ${placeholder(key)}`, help(key));
    if (key.key.includes(".")) option.helpGroup(`${capitalized(key.key.slice(0, key.key.indexOf(".")))}:`);
    command.addOption(option);
  }
}

/**
 * The configuration that the flags of a parsed command give, over the values of its `--config` files and the defaults.
 * @throws ConfigError naming flag or file and key, value and what is allowed.
 */
export function readConfiguration<S extends ConfigurationSchema>(command: Command, schema: S): z.infer<S> {
  const options = command.opts<Record<string, unknown>>();
  const files = (options["config"] ?? []) as readonly string[];
  const sources = files.map(readConfigurationFile);
  const keys = listKeys(schema);
  const values = Object.fromEntries(keys.map((key) => [key.key, parseFlag(options[attributeName(key)], key)]));
  const flags: ConfigurationSource = { spell: ({ flag }) => flag, values };
  const configuration = resolveConfiguration(schema, [...sources, flags]);
  const limits = readLimit(options["limit"], keys, configuration);
  if (limits === undefined) return configuration;
  const limited: ConfigurationSource = { spell: () => limitFlag, values: limits };
  return resolveConfiguration(schema, [...sources, flags, limited]);
}

function readConfigurationFile(file: string): ConfigurationSource {
  try {
    return parseTomlConfiguration(readFileSync(file, "utf8"), file);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`--config ${file}: the file cannot be read`, { file }, { cause });
  }
}

/** The numbers of tasks that `--limit` lowers. Text that is no number goes to each of them, for the schema to refuse. */
function readLimit(
  given: unknown,
  keys: readonly ConfigurationKey[],
  configuration: object,
): Record<string, unknown> | undefined {
  if (given === undefined) return undefined;
  const values = flattenValues(configuration);
  const limits = keys
    .filter(({ key }) => limitedKeys.includes(key))
    .map((key) => [key.key, parseFlag(given, key)] as const)
    .filter(([key, limit]) => typeof limit !== "number" || !((values[key] as number) <= limit));
  return Object.fromEntries(limits);
}

function placeholder(key: ConfigurationKey): string {
  if (key.type === "boolean") return "[true|false]";
  if (key.type === "string") return key.choices === undefined ? "<text>" : "<name>";
  return key.type === "integer" ? "<n>" : "<x>";
}

function help(key: ConfigurationKey): string {
  const facts = [
    ...(key.choices === undefined ? [] : [key.choices.join(" | ")]),
    ...(key.defaultValue === undefined ? [] : [`default ${showValue(key.defaultValue)}`]),
  ];
  return facts.length === 0 ? key.description : `${key.description} (${facts.join("; ")})`;
}

/** Where commander keeps a flag's value. */
function attributeName(key: ConfigurationKey): string {
  return new Option(`${key.flag} <value>`).attributeName();
}

/** Text as the type it should have; text that has no such value stays, for the schema to refuse by name. */
function parseFlag(given: unknown, key: ConfigurationKey): unknown {
  if (typeof given !== "string") return given;
  if (key.type === "boolean") return given === "true" ? true : given === "false" ? false : given;
  if (key.type === "string") return given;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(given) ? Number(given) : given;
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
