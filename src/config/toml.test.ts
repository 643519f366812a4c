import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { resolveConfiguration } from "./resolve.ts";
import { trainSchema } from "./schema.ts";
import { parseTomlConfiguration, renderToml } from "./toml.ts";

const resolveText = (text: string) => resolveConfiguration(trainSchema, [parseTomlConfiguration(text, "run.toml")]);

describe("a configuration as TOML", () => {
  it("gives keys by group", () => {
    const { iterations, rollout } = resolveText("iterations = 3\n[rollout]\nturns = 2\ntemperature = 1\n");
    expect({ iterations, turns: rollout.turns, temperature: rollout.temperature }).toEqual({
      iterations: 3,
      turns: 2,
      temperature: 1,
    });
  });

  it("reads back as it was written, with every key explained", () => {
    const configuration = resolveText('[relabel]\nrule = "outcome"\n[suite]\ndata = "some dir"\n');
    const text = renderToml(trainSchema, configuration);
    expect(resolveText(text)).toEqual(configuration);
    expect(text).toContain(
      '# What the expert ranks a task\'s programs by (one of outcome-then-verifier, outcome, verifier; default outcome-then-verifier)\nrule = "outcome"',
    );
    expect(renderToml(trainSchema, resolveText(""))).toContain("# data = …");
  });

  it("names file, line and column of what is no TOML", () => {
    expect(() => resolveText("iterations = 3\n[rollout\n")).toThrow(/^run\.toml line 2, column \d+: /);
    expect(() => resolveText("iterations = 3\n[rollout\n")).toThrow(ConfigError);
  });

  it("names key and file of a value that is not allowed, and the nearest of an unknown key", () => {
    expect(() => resolveText("[rollout]\nturns = 0\n")).toThrow(/rollout\.turns in run\.toml: 0 is not an integer/);
    expect(() => resolveText("[rollout]\nturn = 2\n")).toThrow(
      /^run\.toml: unknown key rollout\.turn; did you mean rollout\.turns/,
    );
  });

  it("may be several files, of which the later win key by key and each is named for its own mistakes", () => {
    const model = parseTomlConfiguration("seed = 4\n[rollout]\nturns = 2\nmaxTokens = 9\n", "model.toml");
    const suite = parseTomlConfiguration("[rollout]\nturns = 1\n", "suite.toml");
    expect(resolveConfiguration(trainSchema, [model, suite])).toMatchObject({
      seed: 4,
      rollout: { turns: 1, maxTokens: 9 },
    });
    const wrong = parseTomlConfiguration("sead = 1\n[rollout]\nmaxTokens = 0\n", "wrong.toml");
    expect(() => resolveConfiguration(trainSchema, [model, wrong])).toThrow(/^wrong\.toml: unknown key sead/);
    const low = parseTomlConfiguration("[rollout]\nmaxTokens = 0\n", "low.toml");
    expect(() => resolveConfiguration(trainSchema, [low, suite])).toThrow(/^rollout\.maxTokens in low\.toml: 0 is not/);
  });
});
