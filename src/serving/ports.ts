/** Ports that nobody listens on. */
import { createServer } from "node:net";
import { errorCode } from "../store/file-errors.ts";

const host = "127.0.0.1";

/** A port that is free at this moment: another program may take it before it is used. */
export function freePort(): Promise<number> {
  return listenOnce(0);
}

/** Whether a server could listen on it at this moment. */
export async function isFree(port: number): Promise<boolean> {
  try {
    await listenOnce(port);
    return true;
  } catch (error) {
    if (errorCode(error) === "EADDRINUSE") return false;
    throw error;
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : port));
    });
  });
}
