/** Configurations as TOML files: read, and written with every key explained. */
import { parse, stringify, TomlError } from "smol-toml";
import { ConfigError } from "../errors.ts";
import { listKeys, showValue, type ConfigurationSchema } from "./keys.ts";
import { flattenValues, type ConfigurationSource } from "./resolve.ts";

/** @throws ConfigError for text that is no TOML, naming file and line. */
export function parseTomlConfiguration(text: string, file: string): ConfigurationSource {
  let values: Record<string, unknown>;
  try {
    values = flattenValues(parse(text));
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [reason = "not TOML"] = cause.message.split("\n");
    throw new ConfigError(
      `${file} line ${cause.line}, column ${cause.column}: ${reason}`,
      { file, line: cause.line, column: cause.column },
      { cause },
    );
  }
  return { spell: ({ key }) => `${key} in ${file}`, file, values };
}

/**
 * Every key with its meaning, what it may be and its default, as a file that gives `configuration` again. Keys that are
 * not set stand as comments.
 */
export function renderToml(schema: ConfigurationSchema, configuration: object): string {
  const values = flattenValues(configuration);
  const blocks: string[] = [];
  let group = "";
  for (const { key, description, allowed, defaultValue } of listKeys(schema)) {
    const dot = key.lastIndexOf(".");
    const keyGroup = dot === -1 ? "" : key.slice(0, dot);
    const name = key.slice(dot + 1);
    const heading = keyGroup === group ? "" : `[${keyGroup}]\n\n`;
    group = keyGroup;
    const facts = defaultValue === undefined ? allowed : `${allowed}; default ${showValue(defaultValue)}`;
    const value = values[key];
    const line = value === undefined ? `# ${name} = …` : stringify({ [name]: value }).trimEnd();
    blocks.push(`${heading}# ${description} (${facts})\n${line}`);
  }
  return `${blocks.join("\n\n")}\n`;
}
