/** Reads a file as it grows, line by line. */
import { open } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import { fileError } from "../store/file-errors.ts";

export interface LogFollower {
  /** Reads what is new. `true` when there was something. */
  read(): Promise<boolean>;
  /** Reads the rest; a last line without an end counts too. */
  close(): Promise<void>;
}

const CHUNK_BYTES = 65_536;
/** What is longer is no line worth reading. */
const MAX_LINE_CHARACTERS = 65_536;

/** Follows `file` from its present end. A bar that is redrawn after a carriage return is a line each time. */
export async function followLog(file: string, onLine: (line: string) => void): Promise<LogFollower> {
  const handle = await open(file, "r").catch((error: unknown) => {
    throw fileError("reading", file, error);
  });
  const decoder = new StringDecoder("utf8");
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let position = (await handle.stat()).size;
  let rest = "";
  const read = async (): Promise<boolean> => {
    const before = position;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, position);
      if (bytesRead === 0) return position > before;
      position += bytesRead;
      const lines = (rest + decoder.write(buffer.subarray(0, bytesRead))).split(/[\r\n]+/);
      rest = lines.pop()!.slice(0, MAX_LINE_CHARACTERS);
      for (const line of lines) if (line !== "") onLine(line);
    }
  };
  return {
    read,
    async close() {
      try {
        await read();
        if (rest !== "") onLine(rest);
      } finally {
        await handle.close();
      }
    },
  };
}
