/**
 * Failures of the infrastructure, typed by the boundary crossed, and mistakes of the user.
 * A program that fails its tests is neither: it is a verdict, ordinary data.
 */

/** Structured facts about a failure: names and values a log or a test can read. */
export type ErrorFields = Record<string, unknown>;

/** Base of every failure of the infrastructure; `fields` says where, `cause` says why. */
export class InfrastructureError extends Error {
  readonly fields: ErrorFields;
  constructor(message: string, fields: ErrorFields = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.fields = fields;
  }
}

/** The sandbox could not run a program (worker died, image missing); says nothing about the program. */
export class SandboxError extends InfrastructureError {}
/** A generator did not answer or answered nonsense. */
export class GeneratorError extends InfrastructureError {}
/** A model server refuses one conversation: for what it says, or as it is too long. Asking again changes nothing. */
export class RefusedError extends InfrastructureError {}
/** A verifier did not answer or answered nonsense. */
export class VerifierError extends InfrastructureError {}
/** The engine could not compute, load or save. */
export class EngineError extends InfrastructureError {}
/** A command that trains failed, or what it made is no checkpoint to go on with. */
export class TrainerError extends InfrastructureError {}
/** A file of a run could not be read or written. */
export class StoreError extends InfrastructureError {}
/** A suite's files could not be fetched whole. */
export class DownloadError extends InfrastructureError {}
/** Going on is useless or forbidden (a cost limit is reached, a server stays away): ends the run, its work kept. */
export class StopRunError extends InfrastructureError {}

/**
 * The user's configuration, flag, file or data cannot be used. The message names the key or file (with line), the
 * value found and how to mend it; it is printed without a stack and ends the command with exit code 2.
 */
export class ConfigError extends Error {
  readonly fields: ErrorFields;
  constructor(message: string, fields: ErrorFields = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = "ConfigError";
    this.fields = fields;
  }
}

/** A suite's data cannot be used: missing file, malformed line. Exit code 2, like every mistake in what was given. */
export class SuiteError extends ConfigError {
  constructor(message: string, fields: ErrorFields = {}, options?: ErrorOptions) {
    super(message, fields, options);
    this.name = "SuiteError";
  }
}
