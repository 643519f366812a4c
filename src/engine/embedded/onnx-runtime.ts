/**
 * ONNX Runtime, which computes where there are no kernels. Its package is four times as large as all others together and
 * nothing on most machines, so it is an optional peer: installed by whoever needs it, loaded when first computed with.
 */
import { createRequire } from "node:module";
import { ConfigError } from "../../errors.ts";

export type OnnxRuntime = typeof import("onnxruntime-node");

const PACKAGE = "onnxruntime-node";
const require = createRequire(import.meta.url);

let loaded: OnnxRuntime | undefined;

/** @throws {ConfigError} with the command that installs it where it is missing. */
export function onnxRuntime(): OnnxRuntime {
  loaded ??= load();
  return loaded;
}

function load(): OnnxRuntime {
  const platform = `${process.platform}-${process.arch}`;
  try {
    require.resolve(PACKAGE);
  } catch (cause) {
    throw new ConfigError(
      `ONNX Runtime computes here (mucode's own kernels are for Linux on x86-64 with AVX2, or MUCODE_KERNELS says so), ` +
        `and it is not installed; install it: npm install --ignore-scripts ${PACKAGE}@${wantedVersion()}`,
      { package: PACKAGE, platform },
      { cause },
    );
  }
  try {
    return require(PACKAGE) as OnnxRuntime;
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    throw new ConfigError(
      `ONNX Runtime computes here and is installed, but does not load on ${platform} (it is built for Linux and ` +
        `Windows on x64 and arm64, and for macOS on arm64): ${why}`,
      { package: PACKAGE, platform },
      { cause },
    );
  }
}

function wantedVersion(): string {
  const { peerDependencies } = require("../../../package.json") as { peerDependencies: Record<string, string> };
  return peerDependencies[PACKAGE]!;
}
