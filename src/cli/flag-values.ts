/** Values of flags that several commands have. */
import { InvalidArgumentError, Option } from "commander";

export function parsePositive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("Expected a whole number above 0.");
  return value;
}

/** `--time-limit`, for the commands that grade and take no configuration file. */
export function timeLimitOption(): Option {
  const description = "CPU time for a run of a program, in the place of the tasks' own limits (default: 3)";
  return new Option("--time-limit <seconds>", description).argParser(parseSeconds);
}

function parseSeconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3600))
    throw new InvalidArgumentError("Expected seconds: a number above 0, at most 3600.");
  return value;
}
