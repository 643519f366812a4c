/** The library: the commands as functions, and the contracts to bring parts of one's own. */
export { evaluate, type EvaluateOptions, type EvaluateReport } from "./api/evaluate.ts";
export { pretrain, type PretrainOptions, type PretrainReport } from "./api/pretrain.ts";
export { train, type TrainOptions, type TrainReport } from "./api/train.ts";
export * from "./errors.ts";
