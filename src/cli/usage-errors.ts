/** Mistakes on the command line, told with what was most likely meant. */
import type { Command, CommanderError } from "commander";
import { nearest } from "../nearest.ts";

/** The message of what commander refused, with a suggestion for an unknown flag or command. */
export function describeUsageError(error: CommanderError, program: Command, argv: readonly string[]): string {
  const message = error.message.replace(/^error: /, "");
  const command = findCommand(program, argv);
  const help = `See ${commandPath(command)} --help.`;
  const flag = /unknown option '([^']*)'/.exec(message)?.[1];
  if (flag !== undefined) {
    const suggestions = suggestFlags(flag.replace(/=.*$/s, ""), command);
    const meant = suggestions.length === 0 ? "" : `; did you mean ${suggestions.join(" or ")}?`;
    return `unknown flag ${flag}${meant}\n${help}`;
  }
  const name = /unknown command '([^']*)'/.exec(message)?.[1];
  if (name !== undefined) {
    const suggestion = nearest(
      name,
      command.commands.map((known) => known.name()),
    );
    return `unknown command ${name}${suggestion === undefined ? "" : `; did you mean ${suggestion}?`}\n${help}`;
  }
  return `${message.replace(/\.$/, "")}.\n${help}`;
}

/**
 * A last part without its group (`--turns`) is answered with every flag that ends in it; otherwise the nearest flag.
 */
function suggestFlags(flag: string, command: Command): string[] {
  const known = command.options
    .flatMap((option) => [option.short, option.long])
    .filter((name) => name?.startsWith("--"));
  const flags = known as string[];
  const part = flag.replace(/^--/, "");
  const members = flags.filter((name) => name.endsWith(`.${part}`));
  if (members.length > 0) return members;
  const suggestion = nearest(flag, flags);
  return suggestion === undefined ? [] : [suggestion];
}

/** The deepest command that the words name. */
function findCommand(program: Command, argv: readonly string[]): Command {
  let command = program;
  for (const word of argv) {
    const inner = command.commands.find((known) => known.name() === word || known.aliases().includes(word));
    if (inner === undefined) break;
    command = inner;
  }
  return command;
}

function commandPath(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  return names.join(" ");
}
