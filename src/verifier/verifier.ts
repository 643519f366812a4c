/** The contract of the learned verifier: it reads a task's prompt and one program, never history or test results. */
import type { Task } from "../tasks/task.ts";

export interface ScoreRequest {
  readonly task: Task;
  readonly program: string;
}

export interface Verifier {
  /** A logit: higher is better; comparable within a task. @throws VerifierError */
  score(request: ScoreRequest, signal?: AbortSignal): Promise<number>;
  close(): Promise<void>;
}
