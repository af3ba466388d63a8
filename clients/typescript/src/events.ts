// A typed way to tell listeners, as small as it can be.
//
// Promise: a listener that throws keeps nobody else from being told; its error comes up as any uncaught one.

/** Ends a listener. */
export type Off = () => void;

/** Who listens to what; `Events` maps each name to what it tells. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(told: never) => void>>();

  /** Listens; the answer ends it. */
  on<Name extends keyof Events>(name: Name, listener: (told: Events[Name]) => void): Off {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Tells all who listen, in the order in which they came. */
  emit<Name extends keyof Events>(name: Name, told: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (told: Events[Name]) => void)(told);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
