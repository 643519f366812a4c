/**
 * Values from typed text (see `encoding.mjs`), and source text for values. Runs in realms in which no program runs; like
 * `createEncoding`, `createDecoding` is sent there as source text and uses nothing outside itself.
 */

/**
 * @param {(kind: string, source: string) => unknown} standIn What an opaque value of the program (`1function`, `1object`)
 *   becomes; `source`: an expression of it in the program's realm, or `""` where there is none.
 */
export function createDecoding(standIn) {
  const numeric = "Int8 Uint8 Uint8Clamped Int16 Uint16 Int32 Uint32 Float32 Float64 BigInt64 BigUint64";
  const typedArrays = numeric.split(" ").map((name) => `${name}Array`);

  /**
   * The value that parsed typed text stands for; `source`: an expression of it in the program's realm, where there is one.
   * @type {(json: any, source?: string) => any}
   */
  function build(json, source = "") {
    /** @type {(key: string | number) => string} */
    const inside = (key) => (source === "" ? "" : `${source}[${JSON.stringify(key)}]`);
    if (json === null || typeof json !== "object") return json;
    const [kind, body] = json;
    switch (kind) {
      case "undefined":
        return undefined;
      case "number":
        return Number(body);
      case "bigint":
        return body[0] === "-" ? -BigInt(`0x${body.slice(1)}`) : BigInt(`0x${body}`);
      case "array": {
        /** @type {any[]} */
        const array = [];
        array.length = body.length;
        for (const [index, item] of body.entries()) if (item?.[0] !== "hole") array[index] = build(item, inside(index));
        return array;
      }
      case "object":
      case "bare": {
        const object = kind === "bare" ? Object.create(null) : {};
        for (let i = 0; i < body.length; i += 2) {
          const value = build(body[i + 1], inside(body[i]));
          Object.defineProperty(object, body[i], { value, writable: true, enumerable: true, configurable: true });
        }
        return object;
      }
      case "Map": {
        const map = new Map();
        for (let i = 0; i < body.length; i += 2) map.set(build(body[i]), build(body[i + 1]));
        return map;
      }
      case "Set":
        return new Set(body.map((/** @type {any} */ item) => build(item)));
      case "Date":
        return new Date(build(body));
      case "RegExp":
        return new RegExp(body, json[2]);
      case "promise":
        return Promise.resolve(build(body));
      case "?":
        return standIn(body, source);
      default:
        // Whoever wrote the text, nothing but arrays of numbers is made by name.
        if (!typedArrays.includes(kind)) return standIn("1object", "");
        return new /** @type {any} */ (globalThis)[kind](body.map((/** @type {any} */ item) => build(item)));
    }
  }

  /**
   * An expression that makes an equal value: `null` if there is none. `sourceOfOther` is asked first.
   * @type {(value: any, sourceOfOther: (value: any) => string | undefined, depth?: number) => string | null}
   */
  function sourceOf(value, sourceOfOther, depth = 0) {
    if (depth > 100) return null;
    const other = sourceOfOther(value);
    if (other !== undefined) return other;
    if (typeof value === "string") return JSON.stringify(value);
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "number") return Object.is(value, -0) ? "-0" : `${value}`;
    if (typeof value === "function" || typeof value === "symbol") return null;
    if (typeof value !== "object" || value === null) return `${value}`;
    /** @type {(items: Iterable<any>) => string | null} */
    const list = (items) => {
      const texts = [];
      for (const item of items) {
        const text = sourceOf(item, sourceOfOther, depth + 1);
        if (text === null) return null;
        texts.push(text);
      }
      return texts.join(", ");
    };
    const prototype = Object.getPrototypeOf(value);
    if (Array.isArray(value)) {
      const texts = [];
      for (let i = 0; i < value.length; i++) {
        const text = i in value ? sourceOf(value[i], sourceOfOther, depth + 1) : "";
        if (text === null) return null;
        texts.push(text);
      }
      // A hole at the end needs its own comma.
      return `[${texts.join(", ")}${texts.at(-1) === "" ? "," : ""}]`;
    }
    if (prototype === Object.prototype || prototype === null) {
      const parts = prototype === null ? ["__proto__: null"] : [];
      for (const [key, item] of Object.entries(value)) {
        const text = sourceOf(item, sourceOfOther, depth + 1);
        if (text === null) return null;
        parts.push(`[${JSON.stringify(key)}]: ${text}`);
      }
      return `({ ${parts.join(", ")} })`;
    }
    if (prototype === Map.prototype || prototype === Set.prototype) {
      const items = list(value);
      return items === null ? null : `new ${prototype === Map.prototype ? "Map" : "Set"}([${items}])`;
    }
    if (prototype === Date.prototype) return `new Date(${value.getTime()})`;
    if (prototype === RegExp.prototype) return `new RegExp(${JSON.stringify(value.source)}, "${value.flags}")`;
    if (ArrayBuffer.isView(value) && !(value instanceof DataView))
      return `new ${prototype.constructor.name}([${list(/** @type {any} */ (value))}])`;
    return null;
  }

  return { build, sourceOf };
}
