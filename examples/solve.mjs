// Solves one task of the built-in suite by multi-turn best-of-N search, and shows the search as it goes.
// Run it from a clone after `npm ci`: node examples/solve.mjs [BASE_URL]
// or where the package is installed: node node_modules/mucode/examples/solve.mjs
// Without a server's address (say http://127.0.0.1:8000/v1) the shipped model writes the programs.
import { fileURLToPath } from "node:url";
import {
  createEngineGenerator,
  createGrader,
  createOpenAIGenerator,
  createPyodideSandbox,
  loadEmbeddedModel,
  openModelServer,
  openSuite,
  solve,
} from "mucode";

const [, , baseUrl] = process.argv;
const server = baseUrl === undefined ? undefined : await openModelServer({ baseUrl });
const directory = fileURLToPath(new URL("../models/mubpp-base", import.meta.url));
const generator = server
  ? createOpenAIGenerator(server)
  : createEngineGenerator(await loadEmbeddedModel({ directory, threads: 2 }));
const sandbox = await createPyodideSandbox({});
const grader = await createGrader({ sandboxes: { python: sandbox } });

try {
  const { tasks } = await openSuite({ name: "mubpp" }).load({ split: "test", limit: 1 });
  // `instruct` tells chat models what to answer with; the shipped model knows nothing but tasks.
  const search = solve(tasks[0], { generator, grader }, { candidates: 8, template: server ? "instruct" : "terse" });
  for await (const event of search) {
    if (event.kind !== "candidate-chosen") continue;
    const { turnIndex, verdict, feedback } = event.turn;
    console.error(`turn ${turnIndex + 1}: candidate ${event.candidateIndex + 1} ${verdict} ${feedback}`);
  }
  const { solved, program } = await search;
  console.log(solved ? program : "not solved");
} finally {
  await Promise.all([generator.close(), grader.close(), sandbox.close(), server?.close()]);
}
