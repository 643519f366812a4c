import { appendFileSync, chmodSync, writeFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../until.ts";
import { type HostState, type HostWatch, peakMegabytesOf, processesWith, watchHost } from "./host-watch.ts";

let host: HostWatch;
let before: HostState;
beforeEach(async () => {
  host = await watchHost();
  before = host.state();
});
afterEach(() => host.close());

test("an untouched machine looks the same every time", () => {
  expect(host.state()).toEqual(before);
  expect(before).toMatchObject({ victimAlive: true, marked: [], reached: 0 });
  expect(before.files.length).toBe(6);
});

test("a file that was written to, made, or got other rights is noticed", () => {
  const { folder, mark } = host.prey;
  appendFileSync(join(folder, "secret.txt"), "x");
  const written = host.state();
  expect(written.files).not.toEqual(before.files);
  chmodSync(join(folder, "empty"), 0o711);
  const changed = host.state();
  expect(changed.files).not.toEqual(written.files);
  writeFileSync(join(folder, mark), "");
  expect(host.state().marked).toEqual([join(folder, mark)]);
});

test("whoever connects or sends is counted", async () => {
  const { port, socketPath } = host.prey;
  const udp = createSocket("udp4");
  udp.send("x", port, "127.0.0.1");
  const sockets = [connect(port, "127.0.0.1"), connect(socketPath)].map((socket) => socket.on("error", () => {}));
  await until(() => host.state().reached >= 3);
  expect(host.state().reached).toBe(3);
  for (const socket of sockets) socket.destroy();
  udp.close();
});

test("the end of the victim is noticed", async () => {
  process.kill(host.prey.victim, "SIGKILL");
  await until(() => !host.state().victimAlive);
  expect(host.state()).toMatchObject({ ...before, victimAlive: false });
});

test.skipIf(process.platform !== "linux")(
  "processes are found by their command line, and their memory told",
  async () => {
    // One that was started just now may still be loading.
    await expect.poll(() => processesWith("setInterval(() => {}, 1000)")).toContain(host.prey.victim);
    await expect.poll(() => peakMegabytesOf([host.prey.victim])).toBeGreaterThan(1);
  },
);
