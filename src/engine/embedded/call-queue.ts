/**
 * Calls take effect in the order made. Shared calls that follow one another run together; a call that is to be alone
 * waits for all before it, and all after it wait for it.
 */
interface Call {
  readonly alone: boolean;
  readonly start: () => Promise<void>;
}

export class CallQueue {
  readonly #waiting: Call[] = [];
  #running = 0;
  #isAlone = false;

  shared<T>(work: () => Promise<T>): Promise<T> {
    return this.#add(false, work);
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#add(true, work);
  }

  #add<T>(alone: boolean, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ alone, start: () => work().then(resolve, reject) });
      this.#startNext();
    });
  }

  #startNext(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#running > 0 && (next.alone || this.#isAlone)) return;
      this.#waiting.shift();
      this.#running++;
      this.#isAlone = next.alone;
      void next.start().finally(() => {
        this.#running--;
        this.#startNext();
      });
    }
  }
}
