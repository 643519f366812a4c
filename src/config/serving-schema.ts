/** Where the models of a run are served: in this process, by servers that the run starts, or by servers of others. */
import { z } from "zod";

const positiveInteger = z.int().min(1);
const text = z.string().min(1);
const seconds = z.number().gt(0);

/** The keys of one role. Lists are text, so that a flag can give them too. */
const roleKeys = {
  kind: z
    .enum(["embedded", "mucode", "vllm", "sglang", "transformers", "urls"])
    .default("embedded")
    .describe("Who computes: embedded (this process), a server that the run starts, or urls (servers of others)"),
  replicas: positiveInteger.default(1).describe("Servers to start; requests go to the one with the fewest under way"),
  devices: text.optional().describe('GPUs of each replica, replicas apart by semicolons: "0,1; 2,3"'),
  port: z
    .int()
    .min(0)
    .max(65535)
    .default(0)
    .describe("Port of the first replica, the others follow; 0 takes free ones"),
  executable: text.optional().describe("Program in place of the kind's own: a path, or a name on the PATH"),
  arguments: text.optional().describe("Words added to the command, with quotes as in a shell"),
  environment: text.optional().describe('Variables of the server: "NAME=VALUE OTHER=VALUE"'),
  startLimit: seconds.default(900).describe("Seconds within which a started server must answer"),
  restarts: z.int().min(0).default(3).describe("How often a server that ended by itself is started again"),
  urls: text.optional().describe("With kind urls: base URLs, apart by spaces, e.g. http://127.0.0.1:8000/v1"),
  reloadCommand: text
    .optional()
    .describe("With kind urls: command that puts a checkpoint into service; {checkpoint} stands for its directory"),
  model: text.optional().describe("Name to ask for, where it is not the kind's own or the only one listed"),
  concurrency: positiveInteger.default(32).describe("Most requests under way at the same time, per replica"),
  requestTimeout: seconds.default(300).describe("Seconds after which a request is given up and sent again"),
  retries: z.int().min(0).default(5).describe("How often a failed request is sent again"),
  pauseLimit: seconds.default(900).describe("Seconds that all replicas may be away before the run stops"),
  keepRunning: z
    .boolean()
    .default(false)
    .describe("Leave the servers running while a stage trains: only for devices that training does not use"),
};

export const servedGeneratorSchema = z.strictObject({
  ...roleKeys,
  api: z.enum(["chat", "completions"]).default("chat").describe("Endpoint; completions is for models without chat"),
});

export const servedVerifierSchema = z.strictObject(roleKeys);

export const servingSchema = z.strictObject({
  generator: servedGeneratorSchema.prefault({}),
  verifier: servedVerifierSchema.prefault({}),
});

export type ServingConfiguration = z.infer<typeof servingSchema>;

/** What both roles have. */
export type RoleServing = z.infer<typeof servedVerifierSchema>;

export type ServingRole = keyof ServingConfiguration;
