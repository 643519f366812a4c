/**
 * Who trains, as a group of keys: the embedded engine, TRL's commands, or any command. Commands and lists of words are
 * written as one types them in a shell (quotes keep words together) but no shell reads them.
 */
import { z } from "zod";

const positiveInteger = z.int().min(1);
const text = z.string().min(1);

/** What can be said of the training of either model. */
const stageKeys = {
  command: text.optional().describe("Command that trains, with placeholders such as {data} {from} {to} (kind command)"),
  arguments: text.optional().describe("More words for the end of the command, e.g. --use_peft --lora_r 32"),
  perDeviceBatchSize: positiveInteger
    .optional()
    .describe("Examples a device holds at once; accumulation does the rest"),
};

export const trainerSchema = z.strictObject({
  kind: z
    .enum(["embedded", "trl", "command"])
    .default("embedded")
    .describe("Who trains: this process (embedded), TRL's sft and reward (trl), or commands of your own"),
  python: text.optional().describe("Python that has TRL, e.g. venv/bin/python; its directory is searched for commands"),
  launcher: text.optional().describe("Words put in front, e.g. torchrun --nproc_per_node 4 or srun accelerate launch"),
  processes: positiveInteger
    .default(1)
    .describe("Training processes that the launcher starts in all; a batch is split among them"),
  device: z
    .enum(["auto", "cpu", "gpu"])
    .default("auto")
    .describe("Where TRL trains; auto looks for a GPU on this machine"),
  directory: text.optional().describe("Working directory of the command (default: the current one)"),
  environment: text.optional().describe("Variables for the command, e.g. CUDA_VISIBLE_DEVICES=0,1 NCCL_DEBUG=INFO"),
  maxLength: positiveInteger
    .optional()
    .describe("Most tokens of an example; longer ones are left out (default: the model's context)"),
  silenceLimit: z
    .number()
    .gt(0)
    .default(3600)
    .describe("Seconds without output after which the command counts as hung"),
  timeLimit: z.number().gt(0).optional().describe("Seconds that one stage may train"),
  generator: z.strictObject(stageKeys).prefault({}),
  verifier: z.strictObject(stageKeys).prefault({}),
});

export type TrainerConfiguration = z.infer<typeof trainerSchema>;
