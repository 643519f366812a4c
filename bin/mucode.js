#!/usr/bin/env node
// Written for a Node of any age, so that one that is too old reads why it is refused.
import("../dist/supported-runtime.js")
  .then(function (runtime) {
    const refusal = runtime.refusalOf(process.versions);
    if (refusal === undefined) return import("../dist/cli/main.js");
    process.stderr.write(refusal + "\n");
    process.exit(2);
  })
  .then(function (cli) {
    return cli.main(process.argv.slice(2));
  })
  .then(function (exitCode) {
    process.exitCode = exitCode;
  });
