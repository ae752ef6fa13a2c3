/**
 * The line to the server: server-sent events with our own back-off, asking at intervals where
 * there are none, and knowing when the server is gone and when it is back.
 */
import { BASE, type Client } from "./client.ts";
import type { Tick } from "./types.ts";

export type Line =
  | { state: "connecting" }
  | { state: "live" }
  /** No events: the newest tick is asked for at intervals. */
  | { state: "asking" }
  | { state: "gone"; since: number; retry_at: number };

export interface Listener {
  ticked(tick: Tick): void;
  /** Something changed between ticks: a step was approved, a budget set. */
  stirred(): void;
  /** The line changed; `back` when the server was gone and answers again. */
  changed(back: boolean): void;
}

const ASK_MS = 5_000;
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 30_000;
/** Three heartbeats of 15 s that did not come: the connection is dead, whatever it says. */
const SILENT_MS_MAX = 45_000;

/** Doubles from 1 s to 30 s; `chance` in 0..1 spreads clients by a quarter. */
export function backOff(attempt: number, chance: number): number {
  const plain = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(attempt, 10));
  return Math.round(plain * (0.75 + 0.5 * chance));
}

export class Live {
  line: Line = { state: "connecting" };
  readonly #client: Client;
  readonly #listener: Listener;
  #source: EventSource | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempts = 0;
  #heard = 0;

  constructor(client: Client, listener: Listener) {
    this.#client = client;
    this.#listener = listener;
  }

  start(): void {
    this.stop();
    this.#listen();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  /** A request failed: look whether the server is there at all. */
  suspect(): void {
    if (this.line.state === "gone" || this.#source?.readyState === EventSource.CONNECTING) return;
    this.stop();
    void this.#ask();
  }

  retryNow(): void {
    this.stop();
    void this.#ask();
  }

  #listen(): void {
    const source = new EventSource(`${BASE}/events`);
    this.#source = source;
    this.#heard = Date.now();
    source.addEventListener("open", () => {
      this.#set({ state: "live" });
      this.#watch();
    });
    source.addEventListener("tick", (event) => {
      this.#heard = Date.now();
      this.#listener.ticked(JSON.parse(String(event.data)) as Tick);
    });
    source.addEventListener("changed", () => {
      this.#heard = Date.now();
      this.#listener.stirred();
    });
    source.addEventListener("error", () => {
      this.stop();
      void this.#ask();
    });
  }

  /** Events may stop without an error (a laptop that slept): then ask. */
  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (Date.now() - this.#heard > SILENT_MS_MAX) {
        this.stop();
        void this.#ask();
      } else this.#watch();
    }, SILENT_MS_MAX / 3);
  }

  /** Asks for the newest tick: the server is gone, or has no events, or has them again. */
  async #ask(): Promise<void> {
    try {
      const tick = await this.#client.get<Tick>("/tick");
      const was_gone = this.line.state === "gone";
      this.#set({ state: "asking" });
      this.#listener.ticked(tick);
      if (was_gone || this.#attempts === 0) this.#again(0, () => this.#listen());
      else this.#again(ASK_MS, () => void this.#ask());
      this.#attempts += 1;
      // Events are tried again every minute or so.
      if (this.#attempts > 12) this.#attempts = 0;
    } catch (error) {
      this.#missed(error);
    }
  }

  #missed(error: unknown): void {
    const status = (error as { status?: number }).status ?? 0;
    if (status !== 0) {
      // It answers, with a refusal: it is there (no tick yet, or a log-in is needed).
      this.#set({ state: "asking" });
      this.#again(ASK_MS, () => void this.#ask());
      return;
    }
    if (this.line.state !== "gone") this.#attempts = 0;
    const wait = backOff(this.#attempts, Math.random());
    this.#attempts += 1;
    const since = this.line.state === "gone" ? this.line.since : Date.now();
    this.#set({ state: "gone", since, retry_at: Date.now() + wait });
    this.#again(wait, () => void this.#ask());
  }

  #again(wait_ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, wait_ms);
  }

  #set(line: Line): void {
    const back = this.line.state === "gone" && line.state !== "gone";
    if (back) this.#attempts = 0;
    this.line = line;
    this.#listener.changed(back);
  }
}
