/** Places for contents in a rendered conversation: how a template is made to show where it puts them. */
import type { ChatMessage } from "./engine.ts";
import { trim } from "./white-space.ts";

/** Where a piece of a message's content goes; a template may take away white space at its ends. */
export interface ContentSlot {
  readonly message: number;
  /** Index into the message's {@link ContentPieces}. */
  readonly piece: number;
  readonly trimsStart: boolean;
  readonly trimsEnd: boolean;
}

/** A content cut in pieces: those of even index go into slots, those between are shown to the template as they are. */
export type ContentPieces = readonly string[];

/** Characters of planes for private use: they stand around a slot's numbers in a rendered skeleton. */
const OPEN = "\u{F0000}";
const CLOSE = "\u{F0001}";
/** White space on both sides of them: where it is gone, the template trims. */
const PAD = "\u2003";

/** A pattern's source that matches what became of a placeholder. */
export const SLOT_PATTERN = `${PAD}?${OPEN}\\d+\\.\\d+${CLOSE}${PAD}?`;

/** Every content is one piece. */
export const wholeContent = ({ content }: ChatMessage): ContentPieces => [content];

/** What reasoning models write around their thoughts, which their templates look for in past answers. */
const THOUGHT_MARK = /(<\/?think>)/;

/**
 * An answer is cut at the marks of thoughts, with the white space around them. Of other messages the contents are wholes;
 * those that are white space or nothing, which a template may ask for, are shown to it as they are.
 */
export function thoughtfulContent({ role, content }: ChatMessage): ContentPieces {
  if (content === "") return [];
  if (role !== "assistant") return trim(content, { start: true, end: true }) === "" ? ["", content] : [content];
  const pieces = content.split(THOUGHT_MARK);
  for (let i = 0; i < pieces.length; i += 2) {
    const piece = pieces[i]!;
    const [isFirst, isLast] = [i === 0, i === pieces.length - 1];
    const start = isFirst ? piece : trim(piece, { start: true, end: false });
    const kept = isLast ? start : trim(start, { start: false, end: true });
    if (!isFirst) pieces[i - 1]! += piece.slice(0, piece.length - start.length);
    if (!isLast) pieces[i + 1] = start.slice(kept.length) + pieces[i + 1]!;
    pieces[i] = kept;
  }
  return pieces;
}

/** What the template is given in place of the content. An empty piece of several is left out. */
export function withPlaceholders(pieces: ContentPieces, message: number): string {
  const show = (piece: string, i: number): string =>
    i % 2 === 1 || (piece === "" && pieces.length > 1) ? piece : `${PAD}${OPEN}${message}.${i}${CLOSE}${PAD}`;
  return pieces.map(show).join("");
}

/** The slot that a match of {@link SLOT_PATTERN} stands for. */
export function readSlot(match: string): ContentSlot {
  const [message, piece] = /\d+\.\d+/.exec(match)![0].split(".").map(Number);
  return { message: message!, piece: piece!, trimsStart: !match.startsWith(PAD), trimsEnd: !match.endsWith(PAD) };
}

/** A piece as it stands in its slot; white space is what Python's `strip` takes for it. */
export function fillSlot({ trimsStart, trimsEnd }: ContentSlot, piece: string): string {
  return trim(piece, { start: trimsStart, end: trimsEnd });
}
