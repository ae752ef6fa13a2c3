/** Requests: entity tags kept by address, problems as errors, a limit on how long one may take. */
import type { ProblemJson } from "./types.ts";

export const BASE = "/api/v1";

const TIMEOUT_MS = 20_000;

/** The server's answer that it cannot do that, with its reason. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly request_id: string | null;
  /** With status 401: the ways to log in. */
  readonly login: string[];

  constructor(json: ProblemJson) {
    super(json.detail ?? json.title);
    this.name = "Problem";
    this.status = json.status;
    this.title = json.title;
    const allowed = json.allowed?.length ? ` Known: ${json.allowed.join(", ")}.` : "";
    this.detail = `${json.detail ?? json.title}${allowed}`;
    this.request_id = json.request_id ?? null;
    this.login = json.login ?? [];
  }

  /** Nobody answered: status 0. */
  static unreachable(why: string): Problem {
    return new Problem({ title: "the server does not answer", status: 0, detail: why });
  }
}

interface Kept {
  etag: string;
  value: unknown;
}

export class Client {
  /** For requests that change something; from `/session`. */
  csrf: string | null = null;
  readonly #kept = new Map<string, Kept>();

  async get<T>(path: string): Promise<T> {
    const kept = this.#kept.get(path);
    const headers: Record<string, string> = { accept: "application/json" };
    if (kept) headers["if-none-match"] = kept.etag;
    const response = await this.#send(path, { headers });
    if (response.status === 304 && kept) return kept.value as T;
    const value = await read<T>(response);
    const etag = response.headers.get("etag");
    if (etag) this.#keep(path, { etag, value });
    return value;
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    const headers: Record<string, string> = {
      accept: "application/json",
      "content-type": "application/json",
    };
    if (this.csrf !== null) headers["x-farthing-csrf"] = this.csrf;
    return read<T>(await this.#send(path, { method: "POST", headers, body: JSON.stringify(body) }));
  }

  /** Forgets what is kept, as after a log-out. */
  forget(): void {
    this.#kept.clear();
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(BASE + path, {
        ...init,
        cache: "no-store",
        credentials: "same-origin",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      const slow = error instanceof DOMException && error.name === "TimeoutError";
      throw Problem.unreachable(
        slow ? `no answer within ${TIMEOUT_MS / 1000} s` : "the connection failed",
      );
    }
  }

  #keep(path: string, kept: Kept): void {
    const most = 64;
    this.#kept.delete(path);
    this.#kept.set(path, kept);
    const oldest = this.#kept.keys().next().value;
    if (this.#kept.size > most && oldest !== undefined) this.#kept.delete(oldest);
  }
}

async function read<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (!response.ok) throw problemOf(response, text);
  try {
    return (text === "" ? null : JSON.parse(text)) as T;
  } catch {
    throw new Problem({
      title: "an answer that is no JSON",
      status: response.status,
      detail: `${response.status} ${response.statusText}, and its body is no JSON`,
    });
  }
}

function problemOf(response: Response, text: string): Problem {
  // What stands between (a proxy) answers 502 to 504 for a server that is gone.
  const between = [502, 504].includes(response.status);
  const fallback: ProblemJson = {
    title: response.statusText || "refused",
    status: between ? 0 : response.status,
    detail: `the server answered ${response.status} ${response.statusText}`,
  };
  try {
    const json = JSON.parse(text) as Partial<ProblemJson> | null;
    return new Problem({ ...fallback, ...json, status: fallback.status });
  } catch {
    return new Problem(fallback);
  }
}

/** `/cost?window=7d`: parameters in the order given, empty ones left out. */
export function path(
  route: string,
  query: Record<string, string | number | null | undefined> = {},
): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") given.set(name, String(value));
  }
  const text = given.toString();
  return text ? `${route}?${text}` : route;
}
