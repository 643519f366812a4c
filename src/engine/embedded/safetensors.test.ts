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

  it("of type F16 are widened to float32: zeros, subnormal and normal numbers, infinity", () => {
    const halves = Uint16Array.of(0, 0x8000, 1, 0x03ff, 0x0400, 0x3c00, 0xc100, 0x7bff, 0xfc00);
    const bytes = withHeader({ a: { dtype: "F16", shape: [9], data_offsets: [0, 18] } }, 18);
    bytes.set(new Uint8Array(halves.buffer), bytes.length - 18);
    const expected = [0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, -2.5, 65504, Number.NEGATIVE_INFINITY];
    expect(decodeSafetensors(bytes, "f").tensors.get("a")?.data).toEqual(Float32Array.from(expected));
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
      /f: a\.dtype is I64; expected F32, F16 or BF16/,
    ],
    "a shape that is none": [
      withHeader({ a: { dtype: "F32", shape: [-1], data_offsets: [0, 4] } }, 4),
      /f: a\.shape is \[-1\]; expected/,
    ],
    "offsets that do not fit the shape": [
      withHeader({ a: { dtype: "F32", shape: [3], data_offsets: [0, 8] } }, 8),
      /f: a\.data_offsets is \[0,8\]; expected 12 bytes for shape \[3\]/,
    ],
    "tensors that overlap": [
      withHeader(
        {
          a: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
          b: { dtype: "F32", shape: [1], data_offsets: [4, 8] },
        },
        8,
      ),
      /f: b\.data_offsets is \[4,8\]; expected to start at 8, where the tensor before ends/,
    ],
    "a gap between tensors": [
      withHeader({ a: { dtype: "F32", shape: [1], data_offsets: [4, 8] } }, 8),
      /f: a\.data_offsets is \[4,8\]; expected to start at 0/,
    ],
    "bytes that belong to no tensor": [
      withHeader({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, 8),
      /f: data is 8 bytes; expected 4 bytes by its header/,
    ],
    "a tensor that is there twice": [
      withHeader(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061" :{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        4,
      ),
      /f: a is there twice; expected every key once/,
    ],
    "a shape of absurd size": [
      withHeader({ a: { dtype: "F32", shape: [2 ** 40, 2 ** 40], data_offsets: [0, 8] } }, 8),
      /f: a\.data_offsets is \[0,8\]; expected 4\.8\d+e\+24 bytes/,
    ],
    "offsets in the wrong order": [
      withHeader({ a: { dtype: "F32", shape: [0], data_offsets: [8, 8] } }, 8),
      /f: a\.data_offsets is \[8,8\]; expected to start at 0/,
    ],
    "metadata that are no texts": [
      withHeader({ __metadata__: { a: 1 } }, 0),
      /f: __metadata__ is \{"a":1\}; expected an object of strings/,
    ],
    "a header nested without end": [withHeader("[".repeat(200_000), 0), /f: header is /],
    "a tensor of an inherited name": [
      withHeader('{"__proto__":{"dtype":"toString","shape":[1],"data_offsets":[0,4]}}', 4),
      /f: __proto__\.dtype is toString/,
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
