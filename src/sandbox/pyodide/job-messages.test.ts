import { describe, expect, test } from "vitest";
import { SandboxError } from "../../errors.ts";
import { readMessage } from "./job-messages.ts";
import { readFrames } from "./program-frames.ts";

const progress = (frames: string[] = []) => ({ id: 7, frames, steps: 2 });
const job = { program: "", calls: ["f()"], limits: { cpuTimeMs: 1, memoryBytes: 1 } };
const value = '["value","q1/1","1"]';

describe("messages of a child process", () => {
  test("frames in order and then the end are taken", () => {
    const heard = progress();
    expect(readMessage({ id: 7, step: 0, frame: "a" }, heard)).toBe("frame");
    expect(readMessage({ id: 7, step: 1, frame: "b" }, heard)).toBe("frame");
    expect(readMessage({ id: 7, done: true, retire: false }, heard)).toBe("done");
    expect(heard.frames).toEqual(["a", "b"]);
  });

  test.for<[string, unknown, string[]]>([
    ["no object", "done", []],
    ["nothing", null, []],
    ["another job's frame", { id: 6, step: 0, frame: "a" }, []],
    ["a frame twice", { id: 7, step: 0, frame: "a" }, ["a"]],
    ["a frame too early", { id: 7, step: 1, frame: "a" }, []],
    ["a frame too many", { id: 7, step: 2, frame: "a" }, ["a", "b"]],
    ["a frame after the last", { id: 7, step: 1, frame: "a" }, ["!a"]],
    ["a frame that is no text", { id: 7, step: 0, frame: ["a"] }, []],
    ["a frame without end", { id: 7, step: 0, frame: "a".repeat(17 * 2 ** 20) }, []],
    ["an end before the last frame", { id: 7, done: true, retire: false }, ["a"]],
  ])("%s is malformed", ([, message, frames]) => {
    expect(readMessage(message, progress(frames))).toBe("malformed");
  });

  test.for<[string, string[]]>([
    ["no JSON", ['["ok"]', "value"]],
    ["no list", ['["ok"]', '{"0":"value"}']],
    ["numbers in it", ['["ok"]', '["value",1,"1"]']],
    ["an unknown kind", ['["ok"]', '["passed"]']],
    ["a value in place of the program's frame", [value, value]],
    ["a second program frame", ['["ok"]', '["ok"]']],
    ["a parameter missing", ['["ok"]', '["value","q1/1"]']],
    ["a program's exception that does not end the job", ['["raised","E","E"]', value]],
    ["a call's exception that ends the job", ['["ok"]', '!["raised","E","E"]']],
    ["frames missing", ['["ok"]']],
  ])("frames with %s are refused", ([, frames]) => {
    expect(() => readFrames(job, frames, false)).toThrow(SandboxError);
  });

  test("control characters in texts are replaced", () => {
    const result = readFrames(job, ['["ok"]', JSON.stringify(["raised", "E: \u001b[31m\u202e", "a\nb\u0007"])], false);
    expect(result).toEqual({
      kind: "finished",
      calls: [{ kind: "raised", exception: "E:  [31m ", traceback: "a\nb " }],
    });
  });
});
