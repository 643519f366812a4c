/** Which modules of a model an adapter is for, by PEFT's rules. */
import type { Json } from "../read-files.ts";
import { LORA_TARGETS } from "./low-rank-adapter.ts";

/** Refuses the value of a key, unless it is accepted. */
export type Expect = (key: string, accepted: boolean, expected: string) => void;

/** What PEFT takes for models of these architectures where nothing is named. */
const DEFAULT_TARGETS = ["q_proj", "v_proj"];

/** Whether a module, as `model.layers.0.self_attn.q_proj`, has an adapter by `target_modules` and the keys beside it. */
export function readModuleChoice(json: Json, expect: Expect): (module: string) => boolean {
  const targets = readNames(json, "target_modules", expect) ?? DEFAULT_TARGETS;
  const excluded = readNames(json, "exclude_modules", expect) ?? [];
  const { layers_to_transform: layers } = json;
  const chosen = layers === undefined || layers === null ? [] : [layers].flat();
  expect("layers_to_transform", chosen.every(Number.isSafeInteger), "null, or numbers of layers");
  const patterns = [json["layers_pattern"] ?? []].flat();
  const isNamed = patterns.every((pattern) => typeof pattern === "string" && /^\w*(?:\.\w+)*$/.test(pattern));
  expect("layers_pattern", isNamed, "null, or names of the list of layers");
  expect("layers_to_transform", chosen.length === 0 || Array.isArray(targets), "null: target_modules is a pattern");
  const names = patterns.filter((pattern) => pattern !== "");
  const areLayers = names.length === 0 || names.includes("layers") || names.includes("model.layers");
  const isChosen = (module: string): boolean =>
    chosen.length === 0 || (areLayers && chosen.includes(Number(/^model\.layers\.(\d+)\./.exec(module)?.[1])));
  return (module) => {
    if (isOneOf(module, excluded)) return false;
    if (Array.isArray(targets) && targets.includes(module)) return true;
    return isOneOf(module, targets) && isChosen(module);
  };
}

/** Names of modules or their ends, or a pattern of whole names; `undefined` for none. */
function readNames(json: Json, key: string, expect: Expect): readonly string[] | RegExp | undefined {
  const found = json[key] ?? undefined;
  if (found === undefined || found === "") return undefined;
  if (Array.isArray(found)) {
    expect(
      key,
      found.every((name) => typeof name === "string"),
      "names of modules",
    );
    return found as string[];
  }
  expect(key, typeof found === "string", "names of modules, or a pattern");
  if (key === "target_modules" && (found as string).toLowerCase() === "all-linear") return [...LORA_TARGETS];
  try {
    // By the strict rules, which take nothing for something else that Python knows and JavaScript does not.
    return new RegExp(`^(?:${found as string})$`, "u");
  } catch {
    expect(key, false, "names of modules, or a pattern that JavaScript reads as Python does");
    return undefined;
  }
}

function isOneOf(module: string, names: readonly string[] | RegExp): boolean {
  return names instanceof RegExp
    ? names.test(module)
    : names.some((name) => module === name || module.endsWith(`.${name}`));
}
