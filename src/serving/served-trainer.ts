/** A trainer whose results are opened by servers: what trains and what serves may be two programs. */
import type { Trainer } from "../training/trainer.ts";
import type { ModelOpener } from "./open-models.ts";

/** Servers whose devices a stage needs are stopped before it trains, whoever still holds them. */
export function createServedTrainer(
  training: Pick<Trainer, "trainGenerator" | "trainVerifier">,
  opener: ModelOpener,
): Trainer {
  return {
    async trainGenerator(examples, request) {
      await opener.freeDevices();
      return training.trainGenerator(examples, request);
    },
    async trainVerifier(data, request) {
      await opener.freeDevices();
      return training.trainVerifier(data, request);
    },
    openGenerator: (checkpoint) => opener.openGenerator(checkpoint),
    openVerifier: (checkpoint) => opener.openVerifier(checkpoint),
  };
}
