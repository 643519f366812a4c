/** Where results and messages for people are written: the one place that decides how wide a line may be. */
import { wrapText } from "../evaluation/wrap.ts";
import type { CliContext, OutputStream } from "./context.ts";

/** Places in a line of a stream that is no terminal. */
const USUAL_WIDTH = 80;

/** Places in a line. */
export function widthOf({ columns }: OutputStream): number {
  return columns || USUAL_WIDTH;
}

/** Prints results for people; tables in it were made for {@link widthOf} the same stream. */
export function print({ stdout }: Pick<CliContext, "stdout">, text: string): void {
  stdout.write(wrapText(text, widthOf(stdout)));
}

/** Prints a message. In a terminal it is wrapped; a log keeps each message on its line, where it can be searched for. */
export function say(stderr: OutputStream, text: string): void {
  stderr.write(stderr.isTTY ? wrapText(text, widthOf(stderr)) : text);
}
