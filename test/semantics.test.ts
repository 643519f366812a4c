/**
 * What the method does, item by item, with a scripted generator, grader, verifier and trainer. A failing item is a
 * decision about the method, not a nuisance. Each names the step of `docs/method.md` that it holds the code to.
 */
import { describe, expect, it } from "vitest";
import { GeneratorError } from "../src/errors.ts";
import type { ProposeRequest } from "../src/generator/generator.ts";
import { createScriptedGenerator } from "../src/generator/scripted-generator.ts";
import type { OutcomeGrader } from "../src/grading/grade.ts";
import { silentProgress } from "../src/progress.ts";
import { collectRollouts } from "../src/rollout/collect-rollouts.ts";
import type { GradedTrajectory } from "../src/rollout/graded-trajectory.ts";
import { searchBestOfN } from "../src/search/best-of-n.ts";
import { createScriptedVerifier } from "../src/verifier/scripted-verifier.ts";
import { grader, labels, memoryStore, play, PRIVATE, PUBLIC, settings, task, type Script } from "./scripted-run.ts";

describe("the method's semantics", () => {
  it("1. The generator sees the prompt, its own programs and feedback of public tests: never a private test or a gold program (the MDP; step 1)", async () => {
    const { proposals } = await play({ tasks: ["a"], write: ({ turn }) => `w${turn}` });
    const seen = JSON.stringify(proposals);
    expect(seen).toContain("Failed: assert f(1) == PUBLIC\\nGot: w0");
    expect(seen).not.toContain("PRIVATE");
    const passing = await play({ tasks: ["a"], write: () => "p" });
    expect(JSON.stringify([passing.proposals, passing.trajectories("base/trajectories")])).not.toContain("PRIVATE");
    expect(seen).not.toContain("GOLD");
  });

  it("2. The verifier sees a task and one program: never the history, a verdict or feedback (step 3)", async () => {
    const { scored, verifierFits } = await play({
      tasks: ["a"],
      write: ({ rollout, turn }) => (turn === 2 ? `r${rollout}` : `w${turn}`),
    });
    expect(scored.length).toBeGreaterThan(0);
    for (const request of scored) expect(Object.keys(request as object).toSorted()).toEqual(["program", "task"]);
    expect(JSON.stringify(scored)).not.toContain("Failed:");
    expect(JSON.stringify(verifierFits.map(({ data }) => data))).not.toContain("Failed:");
  });

  it("3. A rollout stops when the public tests pass, right or not, and after T turns otherwise (the MDP)", async () => {
    const { trajectories } = await play({
      tasks: ["a"],
      write: ({ rollout, turn }) => (rollout === 0 && turn === 1 ? "p" : "w"),
    });
    const [first, second] = trajectories("base/trajectories");
    expect([first!.stopReason, first!.turns.length, first!.outcomes]).toEqual([
      "public-tests-passed",
      2,
      [false, false],
    ]);
    expect([second!.stopReason, second!.turns.length]).toEqual(["turn-limit", 3]);
  });

  it("4. Every turn has an outcome of its own, over public and private tests (step 1)", async () => {
    const { trajectories } = await play({
      tasks: ["a"],
      write: ({ rollout, turn }) => ["w", rollout === 0 ? "r" : "p"][Math.min(turn, 1)]!,
    });
    expect(trajectories("base/trajectories").map(({ outcomes }) => outcomes)).toEqual([
      [false, true],
      [false, false],
    ]);
  });

  it("5. The verifier learns from pairs of a right and a wrong program of the same task, over all turns and rollouts, each once (step 3)", async () => {
    const { verifierFits } = await play({
      tasks: ["a", "b"],
      write: ({ task: name, rollout, turn }) => (name === "b" ? "w" : turn === 0 ? "w" : `r${rollout}`),
    });
    const { data, request } = verifierFits[0]!;
    expect(request.from.directory).toBe("base");
    const pairs = data.loss === "bradley-terry" ? data.pairs : [];
    expect(pairs.map(({ task: { id }, right, wrong }) => `${id} ${right.trim()} > ${wrong.trim()}`).toSorted()).toEqual(
      ["a r0 #0 > w #0", "a r0 #0 > w #1", "a r1 #1 > w #0", "a r1 #1 > w #1"],
    );
  });

  it("6. A task without a right or without a wrong program gives the verifier no pair (step 3)", async () => {
    const { verifierFits } = await play({
      tasks: ["a", "b"],
      write: ({ task: name }) => (name === "a" ? "r" : "w"),
    });
    expect(verifierFits[0]!.data).toEqual({ loss: "bradley-terry", pairs: [] });
  });

  it("7. Every state of the chosen trajectories is paired with the expert's program: the right one with the highest score (steps 4 and 5)", async () => {
    const { generatorFits } = await play({
      tasks: ["a"],
      write: ({ rollout, turn }) => (rollout === 0 ? ["w", "w"][turn] : [`w`, "r"][turn]) ?? "w",
      score: (program) => (program.startsWith("w") ? 9 : 1),
    });
    expect(labels(generatorFits[0]!.examples).toSorted()).toEqual([
      "a [] → r #1",
      "a [w #0, w #0] → r #1",
      "a [w #0] → r #1",
      "a [w #1] → r #1",
    ]);
  });

  it("8. Ties between programs go to the one found first (step 4)", async () => {
    const { generatorFits } = await play({ tasks: ["a"], write: () => "r" });
    expect(
      new Set(generatorFits[0]!.examples.filter(({ label }) => label === "expert").map((one) => one.completion)),
    ).toEqual(new Set(["r #0"]));
  });

  it("9. At most three trajectories of a task are relabelled, failed ones first; every successful one keeps its own label too (step 5)", async () => {
    const { generatorFits } = await play({
      tasks: ["a"],
      settings: { rolloutsPerTask: 5, rollout: { ...settings.rollout, turns: 2 } },
      write: ({ rollout, turn }) => (rollout < 2 ? `r${rollout}` : `w${rollout}${turn}`),
    });
    const { examples } = generatorFits[0]!;
    const relabelled = examples.filter(({ label }) => label === "expert");
    expect(labels(relabelled).toSorted()).toEqual([
      "a [] → r0 #0",
      "a [w20 #2] → r0 #0",
      "a [w30 #3] → r0 #0",
      "a [w40 #4] → r0 #0",
    ]);
    expect(labels(examples.filter(({ label }) => label === "own"))).toEqual(["a [] → r1 #1"]);
  });

  it("10. A task without a right program gives no example under a rule that uses outcomes, and its best-scored program under `verifier` (steps 4 and 5)", async () => {
    const script = {
      tasks: ["a"],
      write: ({ rollout }: { rollout: number }) => `w${rollout}`,
      score: (program: string) => Number(program[1]),
    };
    for (const expertRule of ["outcome", "outcome-then-verifier"] as const) {
      const { generatorFits } = await play({ ...script, settings: { expertRule } });
      expect(generatorFits[0]!.examples).toEqual([]);
    }
    const { generatorFits } = await play({ ...script, settings: { expertRule: "verifier" } });
    expect(new Set(generatorFits[0]!.examples.map(({ completion }) => completion))).toEqual(new Set(["w1 #1"]));
  });

  it("11. RFT imitates successful trajectories alone, each state with its own final program, and trains no verifier (the baseline)", async () => {
    const { generatorFits, verifierFits } = await play({
      tasks: ["a"],
      method: "rft",
      write: ({ rollout, turn }) => (rollout === 0 ? ["w", "r"][turn]! : "w"),
    });
    expect(verifierFits).toEqual([]);
    expect(labels(generatorFits[0]!.examples)).toEqual(["a [] → r #0", "a [w #0] → r #0"]);
  });

  it("12. Experience aggregates: the second iteration's expert and verifier know the programs of the first (step 2)", async () => {
    const script: Script = {
      tasks: ["a"],
      settings: { iterations: 2 },
      write: ({ checkpoint, rollout }) => (checkpoint === "base" ? `r${rollout}` : `w${rollout}`),
    };
    const { generatorFits, verifierFits } = await play(script);
    const completions = new Set(generatorFits[1]!.examples.map(({ completion }) => completion));
    expect(completions).toEqual(new Set(["r0 #0", "r1 #1"]));
    expect(verifierFits[1]!.data).toMatchObject({ pairs: { length: 4 } });
    const last = await play({ ...script, settings: { iterations: 2, expertScope: "last" } });
    expect(last.generatorFits[1]!.examples.filter(({ label }) => label === "expert")).toEqual([]);
  });

  it("13. Each generator is fitted from the base model again, or from the one before where told so (step 6)", async () => {
    const script: Script = { tasks: ["a"], settings: { iterations: 2 }, write: () => "r" };
    const starts = async (startFrom: "base" | "previous") => {
      const { generatorFits } = await play({ ...script, settings: { ...script.settings, startFrom } });
      return generatorFits.map(({ request }) => request.from.directory);
    };
    expect(await starts("base")).toEqual(["base", "base"]);
    expect(await starts("previous")).toEqual(["base", "mucode/iteration-1/generator"]);
  });

  it("14. The second iteration rolls out the first one's generator (step 1)", async () => {
    const { trajectories } = await play({
      tasks: ["a"],
      settings: { iterations: 2 },
      write: ({ checkpoint }) => (checkpoint === "base" ? "w" : "r"),
    });
    expect(trajectories("base/trajectories").flatMap(({ outcomes }) => outcomes)).not.toContain(true);
    expect(trajectories("mucode/iteration-1/trajectories").flatMap(({ outcomes }) => outcomes)).not.toContain(false);
  });

  it("15. With K programs per task every relabelled state is paired with each of them, best first (step 4)", async () => {
    const { generatorFits } = await play({
      tasks: ["a"],
      settings: { programsPerTask: 2, rolloutsPerTask: 3 },
      write: ({ rollout, turn }) => (rollout === 2 ? `w${turn}` : `r${rollout}`),
      score: (program) => Number(program[1]),
    });
    const first = labels(generatorFits[0]!.examples).filter((label) => label.startsWith("a [] "));
    expect(first).toEqual(["a [] → r1 #1", "a [] → r0 #0"]);
  });

  it("16. In best-of-N search public tests alone stop it, whatever the rule; no rule but `oracle` asks for an outcome (inference)", async () => {
    const asked: string[] = [];
    const watched: OutcomeGrader = {
      ...grader,
      async outcome(one, program) {
        asked.push(program ?? "");
        return grader.outcome(one, program);
      },
    };
    const generator = createScriptedGenerator((_, index) => ["w()", "p()", "r()"][index]!);
    const verifier = createScriptedVerifier(({ program }) => (program.startsWith("p") ? 2 : 1));
    const run = async (rule: "random" | "public-tests" | "verifier" | "public-tests-then-verifier" | "oracle") => {
      const trajectory = await searchBestOfN(
        { task: task("a"), rule, settings: { ...settings.rollout, candidates: 3 }, seed: 1 },
        { generator, verifier, grader: watched, outcomes: watched },
      );
      return [trajectory.turns.at(-1)!.program!.trim(), trajectory.turns.length];
    };
    expect(await run("public-tests-then-verifier")).toEqual(["p()", 1]);
    expect(await run("verifier")).toEqual(["p()", 1]);
    expect(asked).toEqual([]);
    expect(await run("oracle")).toEqual(["r()", 1]);
    expect(asked).not.toEqual([]);
  });

  it("17. The order in which rollouts end changes nothing (step 1)", async () => {
    const script: Script = {
      tasks: ["a", "b", "c"],
      settings: { iterations: 2, rolloutsPerTask: 3 },
      write: ({ task: name, rollout, turn }) => (turn > 0 && rollout > 0 ? `r${name}${rollout}` : `w${name}${turn}`),
      score: (program) => program.length,
    };
    const results = async (turns: (request: ProposeRequest) => number) => {
      const { generatorFits, verifierFits } = await play({ ...script, turns });
      return [generatorFits.map(({ examples }) => examples), verifierFits.map(({ data }) => data)];
    };
    const quick = await results(() => 0);
    expect(await results(({ seeds }) => seeds[0]! % 20)).toEqual(quick);
    expect(await results(({ conversation }) => 20 - 5 * conversation.length)).toEqual(quick);
  });

  it("18. The public tests stand in a prompt only where told to, the generator's and the verifier's by themselves (steps 1 and 3)", async () => {
    const shown = async (inGenerator: boolean, inVerifier: boolean) => {
      const { proposals, records } = await play({
        tasks: ["a"],
        settings: {
          rollout: { ...settings.rollout, showPublicTests: inGenerator },
          verifierPrompt: { showPublicTests: inVerifier },
        },
        write: ({ rollout }) => (rollout === 0 ? "r" : "w"),
      });
      const [example] = records("mucode/iteration-1/verifier-data") as { prompt: unknown }[];
      return [proposals[0]!.conversation, example!.prompt].map((prompt) => JSON.stringify(prompt).includes(PUBLIC));
    };
    expect(await shown(false, false)).toEqual([false, false]);
    expect(await shown(true, false)).toEqual([true, false]);
    expect(await shown(false, true)).toEqual([false, true]);
  });

  it("19. Nothing that a model learns from holds a private test or a gold program, and what the verifier learns from no feedback (steps 3 and 6)", async () => {
    const { records } = await play({
      tasks: ["a", "b"],
      write: ({ task: name, turn }) => (turn === 0 ? "w" : name === "a" ? "p" : "r"),
    });
    const [verifier, generator] = ["verifier-data", "generator-data"].map((name) =>
      JSON.stringify(records(`mucode/iteration-1/${name}`)),
    );
    expect(verifier).toContain('"chosen"');
    expect(generator).toContain("Failed:");
    for (const data of [verifier, generator]) {
      expect(data).not.toContain(PRIVATE);
      expect(data).not.toContain("GOLD");
    }
    expect(verifier).not.toContain("Failed:");
  });

  it("20. Cross-entropy learns from every distinct program and its own outcome, also of tasks where all are right or all wrong (step 3)", async () => {
    const { verifierFits } = await play({
      tasks: ["a", "b", "c"],
      settings: { verifierLoss: "bce" },
      write: ({ task: name, turn }) => ({ a: "r", b: "w", c: turn === 0 ? "p" : "r" })[name]!,
    });
    const { data } = verifierFits[0]!;
    const learned = data.loss === "bce" ? data.labels : [];
    expect(learned.map((one) => `${one.task.id} ${one.program.trim()} ${one.outcome}`).toSorted()).toEqual([
      "a r #0 true",
      "a r #1 true",
      "b w #0 false",
      "b w #1 false",
      // It passed the public tests, and its rollout was over.
      "c p #0 false",
      "c p #1 false",
    ]);
  });

  it("21. At most so many pairs of a task train the verifier as it is told, and twice as many labels: drawn by the seed, none twice (step 3)", async () => {
    const draw = async (verifierLoss: "bradley-terry" | "bce", seed: number) => {
      const { verifierFits } = await play({
        tasks: ["a"],
        settings: { pairsPerTask: 3, rolloutsPerTask: 8, verifierLoss, seed },
        write: ({ rollout }) => `${rollout % 2 ? "r" : "w"}${rollout}`,
      });
      const { data } = verifierFits[0]!;
      return data.loss === "bce"
        ? data.labels.map(({ program }) => program)
        : data.pairs.map(({ right, wrong }) => `${right} ${wrong}`);
    };
    expect(new Set(await draw("bradley-terry", 7)).size).toBe(3);
    expect(new Set(await draw("bce", 7)).size).toBe(6);
    expect(await draw("bradley-terry", 7)).toEqual(await draw("bradley-terry", 7));
    expect(await draw("bradley-terry", 8)).not.toEqual(await draw("bradley-terry", 7));
  });

  it("22. A completion without a program is a wrong turn like another: no expert, no lesson for the verifier, but a state to relabel (steps 3 to 5)", async () => {
    const { trajectories, verifierFits, generatorFits } = await play({
      tasks: ["a", "b"],
      settings: { expertRule: "verifier", rollout: { ...settings.rollout, turns: 2 } },
      write: ({ task: name, rollout, turn }) =>
        name === "b" || (rollout === 0 && turn === 0) ? "```\n\n```\nI do not know" : "r",
    });
    const first = trajectories("base/trajectories").find(({ taskId, turns }) => taskId === "a" && turns.length === 2);
    expect([first!.turns[0]!.program, first!.outcomes]).toEqual([null, [false, true]]);
    expect(verifierFits[0]!.data).toEqual({ loss: "bradley-terry", pairs: [] });
    expect(labels(generatorFits[0]!.examples).map((label) => label.replaceAll(/```[^#]*/g, "… ").trim())).toEqual([
      "a [] → r #0",
      "a [… #0] → r #0",
      "a [] → r #1",
    ]);
  });

  it("23. A trajectory that ends in a program that passes the public tests alone has failed: RFT leaves it out, µCode relabels it first (step 5)", async () => {
    const script: Script = {
      tasks: ["a"],
      settings: { trajectoriesPerTask: 1 },
      write: ({ rollout, turn }) => (rollout === 0 ? ["w", "r"] : ["w", "p"])[turn]!,
    };
    const relabelled = (await play(script)).generatorFits[0]!.examples.filter(({ label }) => label === "expert");
    expect(labels(relabelled)).toEqual(["a [] → r #0", "a [w #1] → r #0"]);
    const imitated = (await play({ ...script, method: "rft" })).generatorFits[0]!.examples;
    expect(labels(imitated)).toEqual(["a [] → r #0", "a [w #0] → r #0"]);
  });

  it("24. A rollout that the infrastructure fails is counted and left out of D, neither right nor wrong; it costs no other (step 1)", async () => {
    const { iterations, trajectories, verifierFits } = await play({
      tasks: ["a"],
      settings: { rolloutsPerTask: 3 },
      write: ({ rollout }) => {
        if (rollout === 1) throw new GeneratorError("the server is away");
        return rollout === 0 ? "r" : "w";
      },
    });
    expect(iterations[0]!.rollouts).toMatchObject({ rollouts: 2, failures: [{ kind: "GeneratorError" }] });
    expect(iterations[0]!.rollouts.solvedByTurn).toEqual([0.5, 0.5, 0.5]);
    expect(
      trajectories("base/trajectories")
        .map(({ rolloutIndex }) => rolloutIndex)
        .toSorted(),
    ).toEqual([0, 2]);
    expect(verifierFits[0]!.data).toMatchObject({ pairs: [{ right: "r #0\n", wrong: "w #2\n" }] });
  });

  it("25. The second iteration's generator learns from the states of all iterations, as many trajectories of each, all labelled with the best of D (steps 2, 4 and 5)", async () => {
    const { generatorFits } = await play({
      tasks: ["a"],
      settings: { iterations: 2, trajectoriesPerTask: 1, rollout: { ...settings.rollout, turns: 2 } },
      write: ({ checkpoint, rollout, turn }) => (checkpoint === "base" ? `w${turn}` : rollout === 1 ? "r" : `v${turn}`),
    });
    expect(labels(generatorFits[0]!.examples)).toEqual([]);
    expect(labels(generatorFits[1]!.examples)).toEqual(["a [] → r #1", "a [w0 #0] → r #1", "a [v0 #0] → r #1"]);
  });

  it("26. With one turn every state is a prompt alone: single-turn training (the baseline)", async () => {
    for (const method of ["rft", "mucode"] as const) {
      const { generatorFits } = await play({
        tasks: ["a"],
        method,
        settings: { rollout: { ...settings.rollout, turns: 1 } },
        write: ({ rollout }) => (rollout === 0 ? "r" : "w"),
      });
      expect(labels(generatorFits[0]!.examples)).toEqual(["a [] → r #0"]);
    }
  });

  it("27. The rule `outcome` takes the first right program and asks for no score; the others ask for scores of the programs they rank, once each (step 4)", async () => {
    const ask = async (expertRule: "outcome" | "verifier" | "outcome-then-verifier") => {
      const { scored, generatorFits } = await play({
        tasks: ["a"],
        settings: { expertRule, rolloutsPerTask: 4 },
        write: ({ rollout }) => `${rollout === 0 ? "w" : "r"}${rollout}`,
        score: (program) => Number(program[1]),
      });
      const programs = scored.map((request) => (request as { program: string }).program.slice(0, 2)).toSorted();
      const expert = generatorFits[0]!.examples.find(({ label }) => label === "expert")!;
      return [programs, expert.completion.slice(0, 2)];
    };
    expect(await ask("outcome")).toEqual([[], "r1"]);
    expect(await ask("outcome-then-verifier")).toEqual([["r1", "r2", "r3"], "r3"]);
    expect(await ask("verifier")).toEqual([["r1", "r2", "r3", "w0"], "r3"]);
  });

  it("28. Found first means in an earlier iteration, then in an earlier rollout, then at an earlier turn; a program that the verifier cannot read comes last (step 4)", async () => {
    const first = async (script: Partial<Script>) => {
      const { generatorFits } = await play({
        tasks: ["a"],
        settings: { expertRule: "verifier", ...script.settings },
        write: ({ checkpoint, turn }) => `${checkpoint === "base" ? "w" : "v"}${turn}`,
        ...(script.score && { score: script.score }),
      });
      return generatorFits.at(-1)!.examples[0]!.completion;
    };
    expect(await first({ settings: { expertRule: "verifier" } })).toBe("w0 #0");
    expect(await first({ settings: { expertRule: "verifier", iterations: 2 } })).toBe("w0 #0");
    const unread = (program: string): number => (program.startsWith("w0") ? -Infinity : -500);
    expect(await first({ settings: { expertRule: "verifier" }, score: unread })).toBe("w1 #0");
  });

  it("29. Told to learn from the base model alone, the verifier is fitted once on its programs and ranks those of every iteration (step 3)", async () => {
    const { iterations, verifierFits, generatorFits } = await play({
      tasks: ["a"],
      settings: { iterations: 3, verifierExperience: "base" },
      write: ({ checkpoint, rollout }) => (checkpoint === "base" ? ["r1", "w"][rollout]! : "r9"),
      score: (program) => Number(program[1]),
    });
    const pairs = verifierFits.map(({ data }) => (data.loss === "bradley-terry" ? data.pairs : []));
    expect(pairs.map((fit) => fit.map(({ right, wrong }) => `${right.trim()} > ${wrong.trim()}`))).toEqual([
      ["r1 #0 > w #1"],
    ]);
    expect(iterations.map(({ verifier }) => verifier!.directory)).toEqual(
      Array.from({ length: 3 }, () => "mucode/iteration-1/verifier"),
    );
    expect(generatorFits[1]!.examples[0]!.completion).toBe("r9 #0");
  });

  it("30. How many rollouts are under way at once changes nothing, nor which other tasks there are (step 1)", async () => {
    const roll = async (tasks: readonly string[], concurrency: number): Promise<GradedTrajectory[]> => {
      const store = memoryStore();
      const log = await store.openRecords<GradedTrajectory>("trajectories");
      const { records } = await collectRollouts(
        { tasks: tasks.map(task), rolloutsPerTask: 4, settings: settings.rollout, seed: 7 },
        {
          generator: createScriptedGenerator(({ seeds, conversation }, index) => {
            const [kind, text] = [["w", "w", "w", "p", "r"][seeds[index]! % 5], conversation.at(-1)!.content];
            return `${kind}${seeds[index]! % 97} # ${text.length}`;
          }),
          grader,
          log,
          stage: silentProgress.stage("rollouts", { total: 0, unit: "rollouts" }),
          concurrency,
        },
      );
      return [...records];
    };
    const names = ["a", "b", "c", "d"];
    const one = await roll(names, 1);
    expect(new Set(one.map(({ stopReason }) => stopReason)).size).toBe(2);
    for (const concurrency of [2, 7, 256]) expect(await roll(names, concurrency)).toEqual(one);
    expect(await roll(["c"], 256)).toEqual(one.filter(({ taskId }) => taskId === "c"));
  });

  it("31. The base model's rollouts do not depend on the method, and a run makes them once for all its arms (step 1)", async () => {
    const write: Script["write"] = ({ rollout, turn }) => (rollout === 0 && turn === 1 ? "r" : `w${turn}`);
    const [mucode, rft] = [await play({ tasks: ["a"], write }), await play({ tasks: ["a"], write, method: "rft" })];
    expect(rft.proposals).toEqual(mucode.proposals);
    const store = memoryStore();
    await play({ tasks: ["a"], write, store });
    expect((await play({ tasks: ["a"], write, store, method: "rft" })).proposals).toEqual([]);
  });

  it("32. An arm of fewer turns that shares longer rollouts learns what it would have learned from its own (step 1)", async () => {
    const script: Script = {
      tasks: ["a", "b"],
      method: "rft",
      settings: { rolloutsPerTask: 3, rollout: { ...settings.rollout, turns: 1 } },
      write: ({ task: name, rollout, turn }) => (turn === rollout ? `r${name}` : `w${turn}`),
    };
    const [alone, sharing] = [await play(script), await play({ ...script, request: { shared: { baseTurns: 3 } } })];
    expect(
      sharing
        .trajectories("base/trajectories")
        .map(({ turns }) => turns.length)
        .toSorted(),
    ).toEqual([1, 1, 2, 2, 3, 3]);
    expect(sharing.generatorFits[0]!.examples).toEqual(alone.generatorFits[0]!.examples);
    expect(sharing.iterations[0]!.rollouts).toEqual(alone.iterations[0]!.rollouts);
  });

  it("33. In search the verifier is asked for a task and one program at every turn, never what came before; ties go to the candidate written first, and no program to the last (inference)", async () => {
    const scored: object[] = [];
    const trajectory = await searchBestOfN(
      { task: task("a"), rule: "verifier", settings: { ...settings.rollout, candidates: 3 }, seed: 1 },
      {
        generator: createScriptedGenerator(({ conversation }, index) =>
          index === 0 ? "```\n```" : `w${conversation.length}${index}()`,
        ),
        verifier: createScriptedVerifier((request) => {
          scored.push(request);
          return -1000;
        }),
        grader,
      },
    );
    expect(trajectory).toMatchObject({ stopReason: "turn-limit", turns: { length: 3 } });
    expect(trajectory.turns.map(({ program }) => program!.trim())).toEqual(["w11()", "w31()", "w51()"]);
    expect(scored).toHaveLength(6);
    for (const request of scored) expect(Object.keys(request).toSorted()).toEqual(["program", "task"]);
    expect(JSON.stringify(scored)).not.toContain("Failed:");
  });
});
