import { createRequire } from "node:module";
import { configDefaults, defineConfig } from "vitest/config";

/** The engine's own kernels are built for Linux on x86-64 and need AVX2: elsewhere there is nothing of theirs to test. */
function hasKernels(): boolean {
  if (process.platform !== "linux" || process.arch !== "x64") return false;
  return createRequire(import.meta.url)("./prebuilds/linux-x64/kernels.node").sets.length > 0;
}

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(hasKernels() ? [] : ["src/engine/embedded/kernels/**"])],
    // Two cores: suites that load Pyodide or ONNX Runtime would only slow each other down beyond that.
    maxWorkers: 2,
    // Nets for what hangs, and for nothing else: far beyond what any test takes on any machine, however busy.
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    teardownTimeout: 300_000,
    expect: { poll: { interval: 20, timeout: 600_000 } },
  },
});
