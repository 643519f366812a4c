/**
 * What Node has from the web: encodings of text, deep copies. Evaluated in the program's realm when it is first needed,
 * from its source text: it must not use anything outside itself.
 */

/** @returns {Record<string, any>} */
export function createWeb() {
  /** @type {(name: string, message: string, code: number) => Error} */
  function domException(name, message, code) {
    return Object.assign(new Error(message), { name, code });
  }

  /** @type {(text: string) => number[]} */
  function utf8(text) {
    const bytes = [];
    for (const character of text) {
      let point = /** @type {number} */ (character.codePointAt(0));
      if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
      if (point < 0x80) bytes.push(point);
      else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
      else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
      else
        bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    }
    return bytes;
  }

  class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(/** @type {any} */ text = "") {
      return new Uint8Array(utf8(String(text)));
    }
    encodeInto(/** @type {any} */ text, /** @type {Uint8Array} */ into) {
      let read = 0;
      let written = 0;
      for (const character of String(text)) {
        const bytes = utf8(character);
        if (written + bytes.length > into.length) break;
        into.set(bytes, written);
        written += bytes.length;
        read += character.length;
      }
      return { read, written };
    }
  }

  const LABELS = /** @type {Record<string, string>} */ ({
    "utf-8": "utf-8",
    utf8: "utf-8",
    "utf-16": "utf-16le",
    "utf-16le": "utf-16le",
    "iso-8859-1": "windows-1252",
    latin1: "windows-1252",
    ascii: "windows-1252",
    "windows-1252": "windows-1252",
  });
  const WINDOWS_1252 = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ";

  /**
   * Text of the bytes, and how many at the end belong to a character that is not complete.
   * @type {(bytes: Uint8Array, fail: () => string, more: boolean) => [string, number]}
   */
  function fromUtf8(bytes, fail, more) {
    let text = "";
    for (let at = 0; at < bytes.length;) {
      const first = /** @type {number} */ (bytes[at]);
      if (first < 0x80) {
        text += String.fromCharCode(first);
        at++;
        continue;
      }
      const length =
        first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
      let point = first & (0xff >> (length + 1));
      let size = 1;
      const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
      const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
      for (; size < length && at + size < bytes.length; size++) {
        const byte = /** @type {number} */ (bytes[at + size]);
        if (byte < (size === 1 ? low : 0x80) || byte > (size === 1 ? high : 0xbf)) break;
        point = (point << 6) | (byte & 63);
      }
      if (length > 0 && size === length) text += String.fromCodePoint(point);
      else if (more && length > 0 && at + size === bytes.length) return [text, size];
      else text += fail();
      at += size;
    }
    return [text, 0];
  }

  class TextDecoder {
    #rest = new Uint8Array(0);
    #started = false;
    constructor(/** @type {any} */ label = "utf-8", /** @type {any} */ options = {}) {
      const encoding = LABELS[String(label).trim().toLowerCase()];
      if (encoding === undefined) throw new RangeError(`The "${label}" encoding is not supported`);
      this.encoding = encoding;
      this.fatal = Boolean(options.fatal);
      this.ignoreBOM = Boolean(options.ignoreBOM);
    }
    decode(/** @type {any} */ input = new Uint8Array(0), /** @type {any} */ { stream = false } = {}) {
      const given = ArrayBuffer.isView(input)
        ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
        : new Uint8Array(input);
      const bytes = new Uint8Array(this.#rest.length + given.length);
      bytes.set(this.#rest);
      bytes.set(given, this.#rest.length);
      const fail = () => {
        if (this.fatal) throw new TypeError("The encoded data was not valid for encoding " + this.encoding);
        return "\ufffd";
      };
      let text = "";
      let left = 0;
      if (this.encoding === "utf-8") [text, left] = fromUtf8(bytes, fail, stream);
      else if (this.encoding === "utf-16le") {
        left = bytes.length % 2;
        for (let i = 0; i + 1 < bytes.length; i += 2)
          text += String.fromCharCode(/** @type {number} */ (bytes[i]) | (/** @type {number} */ (bytes[i + 1]) << 8));
        if (left > 0 && !stream) text += fail();
      } else
        for (const byte of bytes)
          text += byte >= 0x80 && byte < 0xa0 ? WINDOWS_1252[byte - 0x80] : String.fromCharCode(byte);
      this.#rest = stream ? bytes.slice(bytes.length - left) : new Uint8Array(0);
      if (!this.#started && !this.ignoreBOM && text.startsWith("\ufeff") && this.encoding !== "windows-1252")
        text = text.slice(1);
      this.#started = stream && (this.#started || text !== "");
      return text;
    }
  }

  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  function btoa(/** @type {any} */ data) {
    const text = String(data);
    let out = "";
    for (let i = 0; i < text.length; i += 3) {
      let bits = 0;
      for (let j = 0; j < 3; j++) {
        const code = i + j < text.length ? text.charCodeAt(i + j) : 0;
        if (code > 255) throw domException("InvalidCharacterError", "Invalid character", 5);
        bits = (bits << 8) | code;
      }
      for (let j = 0; j < 4; j++) out += i + j > text.length ? "=" : DIGITS[(bits >> (18 - 6 * j)) & 63];
    }
    return out;
  }
  function atob(/** @type {any} */ data) {
    let text = String(data).replace(/[\t\n\f\r ]/g, "");
    if (text.length % 4 === 0) text = text.replace(/==?$/, "");
    if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text))
      throw domException("InvalidCharacterError", "The string to be decoded is not correctly encoded.", 5);
    let out = "";
    let bits = 0;
    let count = 0;
    for (const digit of text) {
      bits = ((bits << 6) | DIGITS.indexOf(digit)) & 0xffffff;
      count += 6;
      if (count >= 8) out += String.fromCharCode((bits >> (count -= 8)) & 255);
    }
    return out;
  }

  const ERRORS = new Set(["EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"]);
  const TypedArray = Object.getPrototypeOf(Uint8Array);

  function structuredClone(/** @type {any} */ root) {
    if (arguments.length === 0) throw new TypeError('The "value" argument must be specified');
    const copies = new Map();
    /** @type {(value: any, into: any) => any} */
    function members(value, into) {
      for (const key of Object.keys(value))
        Object.defineProperty(into, key, {
          value: copy(value[key]),
          writable: true,
          enumerable: true,
          configurable: true,
        });
      return into;
    }
    /** @type {(value: any) => any} */
    function copy(value) {
      if (typeof value === "function" || typeof value === "symbol")
        throw domException("DataCloneError", `${String(value)} could not be cloned.`, 25);
      if (typeof value !== "object" || value === null) return value;
      if (copies.has(value)) return copies.get(value);
      /** @type {<T>(made: T) => T} */
      const made = (copied) => {
        copies.set(value, copied);
        return copied;
      };
      if (Array.isArray(value)) return members(value, made(Object.assign([], { length: value.length })));
      if (value instanceof Date) return made(new Date(value.getTime()));
      if (value instanceof RegExp) return made(new RegExp(value.source, value.flags));
      if (value instanceof Map) {
        const map = made(new Map());
        for (const [key, item] of new Map(value)) map.set(copy(key), copy(item));
        return map;
      }
      if (value instanceof Set) {
        const set = made(new Set());
        for (const item of new Set(value)) set.add(copy(item));
        return set;
      }
      if (value instanceof ArrayBuffer) return made(value.slice(0));
      if (ArrayBuffer.isView(value)) {
        const buffer = copy(value.buffer);
        const view = /** @type {any} */ (value);
        const kind =
          value instanceof TypedArray
            ? /** @type {any} */ (globalThis)[/** @type {any} */ (value)[Symbol.toStringTag]]
            : DataView;
        return made(new kind(buffer, view.byteOffset, view.length ?? view.byteLength));
      }
      for (const kind of /** @type {any[]} */ ([Number, String, Boolean, BigInt]))
        if (value instanceof kind) return made(Object(kind.prototype.valueOf.call(value)));
      if (value instanceof Error) {
        const kind = ERRORS.has(value.name) ? /** @type {any} */ (globalThis)[value.name] : Error;
        const error = made(new kind(value.message));
        Object.defineProperty(error, "stack", { value: value.stack, writable: true, configurable: true });
        if (Object.hasOwn(value, "cause"))
          Object.defineProperty(error, "cause", { value: copy(value.cause), writable: true, configurable: true });
        return error;
      }
      if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef)
        throw domException("DataCloneError", `${String(value)} could not be cloned.`, 25);
      return members(value, made({}));
    }
    return copy(root);
  }

  return { TextEncoder, TextDecoder, atob, btoa, structuredClone };
}
