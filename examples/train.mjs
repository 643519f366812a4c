// Trains on a few tasks of the built-in suite and prints how often held-out tasks are solved.
// Run it from a clone after `npm ci`: node examples/train.mjs [DIRECTORY]
// or where the package is installed: node node_modules/mucode/examples/train.mjs
import { train } from "mucode";

const report = await train({
  configuration: {
    out: process.argv[2] ?? "runs/example",
    iterations: 1,
    suite: { trainTasks: 16, testTasks: 8 },
    rollout: { rolloutsPerTask: 2 },
    evaluation: { candidates: 3 },
  },
  // Every stage reports here; leave it out for silence.
  progress: {
    stage: (name) => ({ advance() {}, finish: () => console.error(`finished: ${name}`) }),
    log: (line) => console.error(line),
  },
});

for (const { generator, protocol, solved } of report.comparison.solveRates) {
  console.log(`${generator.padEnd(6)} ${protocol.padEnd(27)} ${(100 * solved.mean).toFixed(0)} %`);
}
