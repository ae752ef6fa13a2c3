/**
 * What pages read: a page asks for a path each time that it is drawn and gets what is there now;
 * what is not there is fetched, and the page is drawn again. What nobody asks for is dropped.
 */
import { type Client, Problem } from "./client.ts";

/** A value that comes from the server. */
export type Loadable<T> =
  | { state: "loading" }
  | { state: "ready"; value: T; at: number; refused: Problem | null }
  | { state: "failed"; problem: Problem };

interface Entry {
  shown: Loadable<unknown>;
  /** Milliseconds of `performance.now()`, or -Infinity. */
  fetched: number;
  wanted: number;
  busy: boolean;
  /** At least this long between two fetches while it is looked at. */
  every_ms: number;
  ask(): Promise<unknown>;
}

const KEEP_MS = 120_000;

export class Cache {
  readonly #entries = new Map<string, Entry>();
  readonly #client: Client;
  readonly #changed: () => void;
  /** Told of each failure: a log-in that ended, a server that is gone. */
  readonly #failed: (problem: Problem) => void;

  constructor(client: Client, changed: () => void, failed: (problem: Problem) => void) {
    this.#client = client;
    this.#changed = changed;
    this.#failed = failed;
  }

  /** With a `body` it is asked by POST. */
  read<T>(path: string, every_ms = 5_000, body?: unknown): Loadable<T> {
    const key = body === undefined ? path : `${path} ${JSON.stringify(body)}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = {
        shown: { state: "loading" },
        fetched: -Infinity,
        wanted: 0,
        busy: false,
        every_ms,
        ask: () =>
          body === undefined ? this.#client.get(path) : this.#client.post<unknown>(path, body),
      };
      this.#entries.set(key, entry);
      void this.#fetch(entry);
    }
    entry.wanted = performance.now();
    entry.every_ms = every_ms;
    return entry.shown as Loadable<T>;
  }

  /** Puts what came by another way, as a tick that was pushed. */
  put(path: string, value: unknown): void {
    const now = performance.now();
    const known = this.#entries.get(path);
    const shown: Loadable<unknown> = { state: "ready", value, at: Date.now(), refused: null };
    if (known) {
      known.shown = shown;
      known.fetched = now;
      return;
    }
    const ask = () => this.#client.get<unknown>(path);
    const entry = { shown, fetched: now, wanted: now, busy: false, every_ms: Infinity, ask };
    this.#entries.set(path, entry);
  }

  /** Fetches again what is looked at and old enough; `all` also what is not. */
  refresh(all = false): void {
    const now = performance.now();
    for (const [path, entry] of this.#entries) {
      if (now - entry.wanted > KEEP_MS) this.#entries.delete(path);
      else if (!entry.busy && this.#inView(entry, now) && (all || this.#due(entry, now))) {
        void this.#fetch(entry);
      }
    }
  }

  clear(): void {
    this.#entries.clear();
  }

  #inView(entry: Entry, now: number): boolean {
    return now - entry.wanted < 10_000;
  }

  #due(entry: Entry, now: number): boolean {
    return now - entry.fetched >= entry.every_ms;
  }

  async #fetch(entry: Entry): Promise<void> {
    entry.busy = true;
    try {
      const value = await entry.ask();
      entry.shown = { state: "ready", value, at: Date.now(), refused: null };
    } catch (error) {
      const problem = asProblem(error);
      const had = entry.shown;
      // What was there stays, marked as old: a server that is gone takes no figures with it.
      entry.shown =
        had.state === "ready" ? { ...had, refused: problem } : { state: "failed", problem };
      this.#failed(problem);
    } finally {
      entry.busy = false;
      entry.fetched = performance.now();
      this.#changed();
    }
  }
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem({ title: "the page failed", status: -1, detail });
}

/** The value, or null while it is not there. */
export function valueOf<T>(loadable: Loadable<T>): T | null {
  return loadable.state === "ready" ? loadable.value : null;
}
