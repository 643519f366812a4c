/** `--stop`: where recorded completions are cut. */
import { Option } from "commander";

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\" };

/** May be given several times; `\n`, `\r`, `\t` and `\\` stand for the characters that shells make hard to type. */
export function stopOption(): Option {
  return new Option(
    "--stop <text>",
    "cut every completion where this text begins (\\n is a line break); may be given several times",
  ).argParser((text: string, earlier: readonly string[] = []) => [...earlier, unescape(text)]);
}

function unescape(text: string): string {
  return text.replace(/\\([nrt\\])/g, (_, letter: string) => ESCAPES[letter] as string);
}
