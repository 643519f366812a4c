/** The library: the commands as functions, and the parts they are made of. */
// oxlint-disable-next-line import/no-unassigned-import -- it refuses a runtime that cannot run the rest
import "./require-runtime.ts";

export { evaluate, type EvaluateOptions, type EvaluateReport } from "./api/evaluate.ts";
export { collectTrajectories, type CollectOptions, type CollectReport } from "./api/collect-trajectories.ts";
export { runPaperMini, type ExperimentOptions, type ExperimentReport } from "./api/experiment.ts";
export { exportRun, type ExportOptions, type ExportReport } from "./api/export-run.ts";
export { fitVerifierOnTrajectories, type FitVerifierOptions, type FitVerifierReport } from "./api/fit-verifier.ts";
export { importTrajectories, type ImportOptions, type ImportReport } from "./api/import-trajectories.ts";
export { gradeSamples, type GradeSamplesOptions, type GradeSamplesReport, type SampleResult } from "./api/grade.ts";
export { pretrain, type PretrainOptions, type PretrainReport } from "./api/pretrain.ts";
export { pullTasks, type PullReport, type PullTasksOptions } from "./api/pull-tasks.ts";
export { serve, type ServedCheckpoint, type ServeOptions } from "./server/serve.ts";
export { solve, type Search, type SolveOptions, type SolveParts, type SolveResult } from "./api/solve.ts";
export { solveTask, type SolveReport, type SolveTaskOptions } from "./api/solve-task.ts";
export { train, type TrainOptions, type TrainReport } from "./api/train.ts";

export type { LoadOptions, PrivateTests, Suite, Task, TaskSet, Test } from "./tasks/task.ts";
export { openSuite } from "./tasks/suites.ts";
export { extractProgram, programOf } from "./tasks/completion/program.ts";
export { renderPrompt, type Conversation, type Message } from "./tasks/prompt.ts";

export type { Sandbox, SandboxLimits } from "./sandbox/sandbox.ts";
export { createPyodideSandbox } from "./sandbox/pyodide/pyodide-sandbox.ts";
export { createQuickjsSandbox } from "./sandbox/quickjs/quickjs-sandbox.ts";
export { createNativeSandbox } from "./sandbox/native/native-sandbox.ts";
export { probeNativeSandbox } from "./sandbox/native/probe.ts";
export { openSandbox } from "./sandbox/open-sandbox.ts";
export type { Grade, Grader, OutcomeGrader, PublicGrader, Verdict } from "./grading/grade.ts";
export { createGrader } from "./grading/grader.ts";
export { createTaskGrader } from "./grading/task-grader.ts";

export type { TrainableModel } from "./engine/engine.ts";
export { loadEmbeddedModel, mergeAdapter } from "./engine/embedded/embedded-model.ts";
export type { Generator } from "./generator/generator.ts";
export { createEngineGenerator } from "./generator/engine-generator.ts";
export { createModelOpener, type ModelOpener, type ModelOpenerOptions } from "./serving/open-models.ts";
export { openModelServer, type ModelServer, type ModelServerOptions, type Usage } from "./openai/server.ts";
export { createOpenAIGenerator } from "./generator/openai-generator.ts";
export type { Verifier } from "./verifier/verifier.ts";
export { createEngineVerifier } from "./verifier/engine-verifier.ts";
export { createVerdictVerifier } from "./verifier/verdict-verifier.ts";

export { rollOut } from "./rollout/rollout.ts";
export type { Trajectory, Turn } from "./rollout/trajectory.ts";
export { searchBestOfN } from "./search/best-of-n.ts";
export type { SearchEvent } from "./search/events.ts";
export type { SelectionRule } from "./search/selection-rules.ts";
export { iterateExpert } from "./training/expert-iteration.ts";
export type { ProgressReporter } from "./progress.ts";
export * from "./errors.ts";
