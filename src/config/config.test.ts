import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { flagOf, listKeys, type ConfigurationKey } from "./keys.ts";
import { flattenValues, resolveConfiguration } from "./resolve.ts";
import { comparableConfiguration, trainSchema } from "./schema.ts";

const onCommandLine = (
  values: Record<string, unknown>,
): { spell: (key: ConfigurationKey) => string; values: typeof values } => ({
  spell: ({ flag }) => flag,
  values,
});

function complaint(values: Record<string, unknown>): string {
  try {
    resolveConfiguration(trainSchema, [onCommandLine(values)]);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "accepted";
}

/** Who trains and serves is configured by what they need. */
const isOfMethod = (key: string): boolean => !/^(?:trainer|serving)\./.test(key);

describe("the keys of mucode train", () => {
  const keys = listKeys(trainSchema);

  test("each have a flag of their own, a description of one line, and a default unless they may be left out", () => {
    expect(new Set(keys.map(({ flag }) => flag)).size).toBe(keys.length);
    for (const { description } of keys) {
      expect(description).toMatch(/^[^\n]{10,100}[^.\n]$/);
    }
    expect(
      keys
        .filter(({ defaultValue }) => defaultValue === undefined)
        .map(({ key }) => key)
        .filter(isOfMethod),
    ).toEqual(["baseRevision", "baseParameters", "timeLimit", "suite.data", "evaluation.suites"]);
  });

  test("say what they allow in words", () => {
    const allowed = Object.fromEntries(keys.map((key) => [key.key, key.allowed]));
    expect(allowed["rollout.turns"]).toBe("an integer of at least 1");
    expect(allowed["rollout.temperature"]).toBe("a number from 0 to 5");
    expect(allowed["generator.learningRate"]).toBe("a number above 0 and of at most 1");
    expect(allowed["verifier.loss"]).toBe("one of bradley-terry, bce");
    expect(allowed["suite.showPublicTests"]).toBe("true or false");
    expect(allowed["out"]).toBe("text that is not empty");
  });

  test("are spelt on the command line with dots and hyphens", () => {
    expect(flagOf("rollout.rolloutsPerTask")).toBe("--rollout.rollouts-per-task");
    expect(flagOf("baseModel")).toBe("--base-model");
  });

  test("must be described", () => {
    expect(() => listKeys(z.strictObject({ x: z.string().default("") }))).toThrow(/x has no description/);
    expect(() => listKeys(z.strictObject({ x: z.array(z.string()).describe("x") }))).toThrow(/cannot express/);
  });
});

describe("resolving a configuration", () => {
  test("fills in every default", () => {
    const configuration = resolveConfiguration(trainSchema, []);
    expect(configuration.suite.name).toBe("mubpp");
    expect(configuration.relabel.rule).toBe("outcome-then-verifier");
    expect(Object.keys(flattenValues(configuration))).toHaveLength(
      listKeys(trainSchema).filter(({ defaultValue }) => defaultValue !== undefined).length,
    );
  });

  test("lets later sources win key by key", () => {
    const file = {
      spell: ({ key }: ConfigurationKey) => `${key} in run.toml`,
      values: flattenValues({ seed: 5, rollout: { turns: 2, maxTokens: 9 } }),
    };
    const configuration = resolveConfiguration(trainSchema, [
      file,
      onCommandLine({ "rollout.turns": 1, seed: undefined }),
    ]);
    expect(configuration.seed).toBe(5);
    expect(configuration.rollout).toMatchObject({ turns: 1, maxTokens: 9, temperature: 0.7 });
    const wrong = { ...file, values: { "rollout.turns": "two" } };
    expect(() => resolveConfiguration(trainSchema, [wrong])).toThrow(
      "rollout.turns in run.toml: two is not an integer of at least 1",
    );
  });

  test("names the flag, the value and what is allowed, one line per mistake", () => {
    expect(complaint({ "rollout.turns": 0, "verifier.loss": "bradley-tery", "generator.learningRate": 2 })).toBe(
      [
        "--rollout.turns: 0 is not an integer of at least 1",
        "--generator.learning-rate: 2 is not a number above 0 and of at most 1",
        "--verifier.loss: bradley-tery is not one of bradley-terry, bce (did you mean bradley-terry?)",
      ].join("\n"),
    );
    expect(complaint({ out: "" })).toBe('--out: "" is not text that is not empty');
  });

  test("names the nearest key for one that does not exist", () => {
    expect(complaint({ "rollout.turn": 1 })).toBe("unknown key rollout.turn; did you mean rollout.turns?");
    expect(complaint({ "rollout.max_tokens": 1 })).toBe(
      "unknown key rollout.max_tokens; did you mean rollout.maxTokens?",
    );
    expect(complaint({ turns: 1 })).toBe("unknown key turns; did you mean rollout.turns?");
    expect(complaint({ xylophone: 1 })).toBe("unknown key xylophone");
    expect(complaint({ relabel: "verifier" })).toMatch(
      /^relabel is a group of keys, not a value: relabel\.rule, .*relabel\.trajectoriesPerTask$/,
    );
  });
});

test("what decides whether a run may be resumed leaves out where it is and what computes it", () => {
  const comparable = comparableConfiguration(resolveConfiguration(trainSchema, []));
  expect(comparable).not.toHaveProperty("out");
  expect(comparable).not.toHaveProperty("threads");
  expect(comparable).not.toHaveProperty("serving");
  expect(comparable).not.toHaveProperty("trainer.processes");
  expect(comparable).toHaveProperty("trainer.kind", "embedded");
  expect(comparable).toHaveProperty("suite.name", "mubpp");
  expect(comparable).not.toHaveProperty("generator.lora");
  const tuned = comparableConfiguration(
    resolveConfiguration(trainSchema, [onCommandLine({ "generator.lora.rank": 4, "verifier.lora.alpha": 8 })]),
  );
  expect(tuned).toHaveProperty("generator.lora", { rank: 4, alpha: 32, targets: "q_proj,v_proj" });
  expect(tuned).not.toHaveProperty("verifier.lora");
});
