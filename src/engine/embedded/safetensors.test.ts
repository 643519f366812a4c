import { describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

const file = {
  metadata: { format: "pt" },
  tensors: new Map([
    ["a", { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ["b", { shape: [], data: Float32Array.of(-0.5) }],
  ]),
};

const withHeader = (header: unknown, dataBytes: number): Uint8Array => {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
};

describe("safetensors", () => {
  it("read back as they were written", () => {
    expect(decodeSafetensors(encodeSafetensors(file), "f")).toEqual(file);
  });

  it("of type BF16 are widened to float32", () => {
    const bytes = withHeader({ a: { dtype: "BF16", shape: [2], data_offsets: [0, 4] } }, 4);
    bytes.set([0x80, 0x3f, 0x20, 0xc0], bytes.length - 4);
    expect(decodeSafetensors(bytes, "f").tensors.get("a")?.data).toEqual(Float32Array.of(1, -2.5));
  });

  const good = encodeSafetensors(file);
  const malformed: Record<string, [Uint8Array, RegExp]> = {
    "an empty file": [new Uint8Array(), /f: size is 0 bytes; expected at least 8/],
    "a truncated file": [good.subarray(0, good.length - 3), /f: [ab]\.data_offsets is .*truncated/],
    "a header longer than the file": [good.subarray(0, 20), /f: header length is \d+ bytes; expected at most the 12/],
    "a header that is not JSON": [withHeader("{nonsense", 0), /f: header is not JSON; expected a JSON object/],
    "a header that is a list": [withHeader([], 0), /f: header is \[\]; expected a JSON object/],
    "an unknown type": [
      withHeader({ a: { dtype: "I64", shape: [1], data_offsets: [0, 8] } }, 8),
      /f: a\.dtype is I64; expected F32 or BF16/,
    ],
    "a shape that is none": [
      withHeader({ a: { dtype: "F32", shape: [-1], data_offsets: [0, 4] } }, 4),
      /f: a\.shape is \[-1\]; expected/,
    ],
    "offsets that do not fit the shape": [
      withHeader({ a: { dtype: "F32", shape: [3], data_offsets: [0, 8] } }, 8),
      /f: a\.data_offsets is \[0,8\]; expected 12 bytes for shape \[3\]/,
    ],
    "an entry that is null": [withHeader({ a: null }, 0), /f: a\.dtype is missing/],
  };
  for (const [name, [bytes, message]] of Object.entries(malformed)) {
    it(`that are ${name} are refused with what was found and expected`, () => {
      expect(() => decodeSafetensors(bytes, "f")).toThrow(ConfigError);
      expect(() => decodeSafetensors(bytes, "f")).toThrow(message);
    });
  }
});
