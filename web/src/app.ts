/**
 * The one state of the dashboard: the address, the session, the line to the server, what was read.
 * Anything that changes it asks for a drawing; a drawing is a function of it.
 */
import { Cache, type Loadable } from "./api/cache.ts";
import { Client, type Problem } from "./api/client.ts";
import { type Line, Live } from "./api/live.ts";
import type { Session, Tick } from "./api/types.ts";
import { changed, type Route, routeOf } from "./router.ts";
import { load, save, apply, type Settings } from "./settings.ts";

export type Access =
  | { state: "asking" }
  | { state: "open"; session: Session }
  /** A log-in is needed; `refused` is what was wrong with the last one. */
  | { state: "locked"; ways: string[]; refused: string | null };

/** Ticks of a fast world are drawn at most this often. */
const DRAW_MS_MIN = 1_000;
const OPEN: Session = {
  user: { name: "local", role: "admin", teams: null },
  login: "none",
  csrf: null,
};
/** Between two questions for a session that the server cannot give now. */
const AGAIN_MS = 5_000;

export class App {
  route: Route = routeOf(new URL(location.href));
  access: Access = { state: "asking" };
  settings: Settings = load();
  /** What was said last, for those who listen. */
  said = "";
  menu = false;
  /** Why the server did not do what was asked last. */
  refused: string | null = null;
  readonly client = new Client();
  readonly #cache: Cache;
  readonly #live: Live;
  readonly #draw: () => void;
  #drawing = false;
  #pause: ReturnType<typeof setTimeout> | undefined;
  /** Ticks came during the pause. */
  #more = false;

  constructor(draw: (app: App) => void) {
    this.#draw = () => draw(this);
    const failed = (problem: Problem) => this.#failed(problem);
    this.#cache = new Cache(this.client, () => this.redraw(), failed);
    this.#live = new Live(this.client, {
      ticked: (tick) => this.#tick(tick),
      stirred: () => this.#cache.refresh(true),
      changed: (back) => this.#lineChanged(back),
    });
  }

  get line(): Line {
    return this.#live.line;
  }

  async start(): Promise<void> {
    apply(this.settings.theme);
    addEventListener("popstate", () => this.#moved());
    this.redraw();
    await this.openSession();
  }

  /** What the server says at `path`; asked again while it is looked at. */
  read<T>(path: string, every_ms?: number): Loadable<T> {
    return this.#cache.read<T>(path, every_ms);
  }

  /** What the server answers to a question with a body; asked once. */
  ask<T>(path: string, body: unknown): Loadable<T> {
    return this.#cache.read<T>(path, Infinity, body);
  }

  redraw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#draw();
    });
  }

  /** Goes to an address; `quietly` leaves no entry in the history, for what is typed. */
  go(to: string, quietly = false): void {
    const page = this.route.page;
    if (quietly) history.replaceState(null, "", to);
    else history.pushState(null, "", to);
    this.#moved();
    if (this.route.page !== page) {
      scrollTo(0, 0);
      requestAnimationFrame(() => document.querySelector<HTMLElement>("#title")?.focus());
    }
  }

  /** Changes the state of this page in its address. */
  set(changes: Record<string, string | null>, quietly = false): void {
    this.go(changed(this.route, changes), quietly);
  }

  say(text: string): void {
    this.said = text;
    this.redraw();
  }

  prefer(settings: Partial<Settings>): void {
    this.settings = { ...this.settings, ...settings };
    save(this.settings);
    apply(this.settings.theme);
    this.redraw();
  }

  refreshAll(): void {
    this.#cache.refresh(true);
  }

  retryNow(): void {
    this.#live.retryNow();
  }

  async openSession(): Promise<void> {
    try {
      this.enter(await this.client.get<Session>("/session"));
    } catch (error) {
      this.#noSession(error as Problem);
    }
  }

  enter(session: Session): void {
    // Who logged in at the page of the log-in has no page yet.
    if (this.route.page === "login") this.go("/", true);
    this.client.csrf = session.csrf;
    this.access = { state: "open", session };
    this.#live.start();
    this.redraw();
  }

  /** After a log-out: the server says which ways there are to log in again. */
  async leave(): Promise<void> {
    this.lock([], null);
    await this.openSession();
  }

  lock(ways: string[], refused: string | null): void {
    this.#live.stop();
    this.#cache.clear();
    this.client.forget();
    this.client.csrf = null;
    this.access = { state: "locked", ways, refused };
    this.redraw();
  }

  #noSession(problem: Problem): void {
    if (problem.status === 401) return this.lock(problem.login, null);
    // A server without sessions is open to all that reach it.
    if (problem.status === 404) return this.enter(OPEN);
    // Gone at the start: the line asks until it is back, and then for the session.
    if (problem.status === 0) this.#live.retryNow();
    else setTimeout(() => void this.openSession(), AGAIN_MS);
    this.redraw();
  }

  #failed(problem: Problem): void {
    if (problem.status === 401 && this.access.state === "open") this.lock(problem.login, null);
    else if (problem.status === 0) this.#live.suspect();
  }

  #lineChanged(back: boolean): void {
    if (back) {
      this.say("The server is back.");
      this.#cache.refresh(true);
    }
    const asked = this.access.state === "asking";
    if (asked && (this.line.state === "asking" || this.line.state === "live")) {
      this.#live.stop();
      void this.openSession();
    }
    this.redraw();
  }

  /** Draws at once, then waits; ticks that come meanwhile are drawn together. */
  #tick(tick: Tick): void {
    this.#cache.put("/tick", tick);
    if (this.#pause !== undefined) {
      this.#more = true;
      return;
    }
    this.#refreshed();
  }

  #refreshed(): void {
    this.#cache.refresh();
    this.redraw();
    this.#more = false;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#more) this.#refreshed();
    }, DRAW_MS_MIN);
  }

  #moved(): void {
    this.route = routeOf(new URL(location.href));
    this.menu = false;
    this.redraw();
  }
}
