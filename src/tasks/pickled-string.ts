/** The one form of Python's pickles that is read: a text and nothing else. Nothing is ever built or called. */

/** Opcodes that surround the text, with the bytes of their arguments: protocol, frame, memo. */
const SKIPPED: ReadonlyMap<number, number> = new Map([
  [0x80, 1],
  [0x95, 8],
  [0x94, 0],
  [0x71, 1],
  [0x72, 4],
]);
const SHORT_TEXT = 0x8c;
const TEXT = 0x58;
const LONG_TEXT = 0x8d;
const STOP = 0x2e;

/** The text of `pickle.dumps(text)`, of protocols 2 to 5. @throws SyntaxError for every other pickle. */
export function readPickledString(bytes: Buffer): string {
  let text: string | undefined;
  for (let at = 0; at < bytes.length;) {
    const opcode = bytes[at++] as number;
    const skipped = SKIPPED.get(opcode);
    if (skipped !== undefined) {
      at += skipped;
    } else if (opcode === STOP && text !== undefined) {
      return text;
    } else {
      const width = { [SHORT_TEXT]: 1, [TEXT]: 4, [LONG_TEXT]: 8 }[opcode];
      if (width === undefined || text !== undefined) break;
      const length = readLength(bytes, at, width);
      at += width;
      if (at + length > bytes.length) break;
      text = bytes.toString("utf8", at, at + length);
      at += length;
    }
  }
  throw new SyntaxError("expected a pickle that holds one text");
}

function readLength(bytes: Buffer, at: number, width: number): number {
  if (at + width > bytes.length) return Infinity;
  return width === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUIntLE(at, width);
}
