/** Trains on the embedded engine, in this process: each stage is a loop over the engine's calls. */
import {
  loadEmbeddedModel,
  LORA_TARGETS,
  validateLora,
  type LoraOptions,
  type LoraTarget,
} from "../engine/embedded/embedded-model.ts";
import type { TrainableModel } from "../engine/engine.ts";
import { createEngineGenerator } from "../generator/engine-generator.ts";
import { createEngineVerifier } from "../verifier/engine-verifier.ts";
import { readVerifierSettings, writeVerifierSettings } from "../verifier/verifier-files.ts";
import type { AdapterSettings, FitSettings } from "./fit-generator.ts";
import { fitGenerator } from "./fit-generator.ts";
import type { VerifierFitSettings } from "./fit-verifier.ts";
import { fitVerifier } from "./fit-verifier.ts";
import type { Checkpoint, Trainer, TrainingRequest, TrainingSummary, VerifierData } from "./trainer.ts";

export interface EmbeddedTrainerOptions {
  readonly threads: number;
  readonly generator: FitSettings;
  readonly verifier: VerifierFitSettings;
}

/**
 * What the engine is to train; nothing for all weights.
 * @throws {ConfigError} for matrices that are none of a layer's.
 */
export function loraOptions(settings: AdapterSettings | undefined, seed: number): LoraOptions | undefined {
  if (settings === undefined || settings.rank === 0) return undefined;
  const { rank, alpha, targets } = settings;
  const names = targets === "all-linear" ? LORA_TARGETS : targets.split(",").map((name) => name.trim() as LoraTarget);
  const options = { rank, alpha, targets: names, seed };
  validateLora(options);
  return options;
}

/** The stage that fits a verifier, for those who have programs already and want no generator. */
export async function trainEmbeddedVerifier(
  data: VerifierData,
  request: TrainingRequest,
  options: Pick<EmbeddedTrainerOptions, "threads" | "verifier">,
): Promise<TrainingSummary> {
  const { form, showPublicTests } = options.verifier;
  const model = await loadEmbeddedModel({
    directory: request.from.directory,
    threads: options.threads,
    ...(form === "head" && { output: "score" }),
    lora: loraOptions(options.verifier.lora, request.seed),
  });
  try {
    const { summary, bias } = await fitVerifier(model, data, options.verifier, request);
    await model.save(request.to.directory);
    await writeVerifierSettings(request.to.directory, { form, showPublicTests, bias });
    return summary;
  } finally {
    await model.close();
  }
}

export function createEmbeddedTrainer(options: EmbeddedTrainerOptions): Trainer {
  const open = ({ directory }: Checkpoint, lora?: LoraOptions): Promise<TrainableModel> =>
    loadEmbeddedModel({ directory, threads: options.threads, lora });
  for (const { lora } of [options.generator, options.verifier]) loraOptions(lora, 0);

  return {
    async trainGenerator(examples, request) {
      const model = await open(request.from, loraOptions(options.generator.lora, request.seed));
      try {
        const summary = await fitGenerator(model, examples, options.generator, request);
        await model.save(request.to.directory);
        return summary;
      } finally {
        await model.close();
      }
    },

    trainVerifier: (data, request) => trainEmbeddedVerifier(data, request, options),

    openGenerator: async (checkpoint) => createEngineGenerator(await open(checkpoint)),

    async openVerifier(checkpoint) {
      const settings = await readVerifierSettings(checkpoint.directory);
      return createEngineVerifier(await open(checkpoint), settings);
    },
  };
}
