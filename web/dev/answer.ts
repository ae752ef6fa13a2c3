/** Answers requests from a made-up world, with the statuses and headers of the API. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Act, Session } from "../src/api/types.ts";
import {
  anomalies,
  budgets,
  offers,
  simulated,
  snapshot,
  utilisation,
  verdicts,
} from "./world-fleet.ts";
import { past, prices } from "./world-past.ts";
import { journal, plan, savings, steps, story } from "./world-plan.ts";
import { type World } from "./world.ts";

type Answer = { status?: number; body?: unknown; headers?: Record<string, string> };

const list = (items: unknown[], next: string | null = null) => ({ body: { items, next } });

export async function answer(
  world: World,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://made-up");
  const route = url.pathname.replace("/api/v1", "");
  if (route === "/events") return events(world, response);
  const body = await bodyOf(request);
  if (route === "/budgets/simulate") {
    const { limits } = JSON.parse(body || "{}") as { limits?: Record<string, string> };
    return send(response, list(simulated(world, limits ?? {})));
  }
  send(response, find(world, route, url.searchParams, request.method ?? "GET"));
}

function find(world: World, route: string, query: URLSearchParams, method: string): Answer {
  const act = /^\/steps\/([^/]+)\/(approve|reject|undo)$/.exec(route);
  if (act && method === "POST") {
    return decide(world, decodeURIComponent(act[1] ?? ""), act[2] as Act);
  }
  if (route.startsWith("/explain/")) {
    const id = decodeURIComponent(route.slice(9));
    if (id.startsWith("row-")) return { body: world.explain(id) };
    const found = story(world, id);
    return found ? { body: found } : refused(404, `there is nothing called ${id}`);
  }
  const made = routes(world, query)[route];
  return made ? made() : refused(404, "no such route");
}

function routes(world: World, query: URLSearchParams): Record<string, () => Answer> {
  const session: Session = {
    user: { name: "ada", role: "operator", teams: null },
    login: "none",
    csrf: "csrf-1",
  };
  return {
    "/session": () => ({ body: session }),
    "/health": () => ({ body: world.health() }),
    "/tick": () => ({ body: world.tick() }),
    "/plan": () =>
      world.options.empty ? refused(503, "no plan was made yet") : { body: withBudgets(world) },
    "/plans": () => paged(ofKind(world, ["planned"]), query),
    "/steps": () => list(steps(world)),
    "/snapshot": () => ({ body: snapshot(world) }),
    "/cost": () => ({ body: world.cost(query) }),
    "/budgets": () => list(budgets(world)),
    "/anomalies": () => list(anomalies(world)),
    "/verdicts": () => ({ body: verdicts(world) }),
    "/utilisation": () => ({ body: utilisation(world, query) }),
    "/savings": () => {
      const found = paged(ofKind(world, ["verified", "undone"]), query);
      const totals = savings(world, journal(world));
      return { body: { ...(found.body as object), totals } };
    },
    "/offers": () => ({ body: offers(world, query) }),
    "/offers/history": () => list(prices(world)),
    "/what-if/history": () => ({ body: past(world) }),
    "/journal": () => paged(ofKind(world, query.get("kind")?.split(",") ?? []), query),
    "/what-if": () =>
      world.options.empty ? refused(503, "nothing was seen yet") : { body: whatIf(world) },
  };
}

function withBudgets(world: World) {
  const rows = budgets(world).map((one) => ({
    budget: one.budget,
    limit: one.limit,
    spent: one.spent,
    committed: one.committed,
    planned: one.reserved,
    forecast: one.exposure,
    rung: one.rung,
  }));
  return { ...plan(world), budgets: rows };
}

function whatIf(world: World) {
  const policies = ["fifo", "greedy-r", "ffd-cheapest", "best-fit", "on-demand"];
  const baselines = policies.map((name, at) => [name, plan(world, -200 * (at + 1), name)]);
  return { ...plan(world), baselines: Object.fromEntries(baselines) };
}

function ofKind(world: World, kinds: string[]) {
  return journal(world).filter(({ kind }) => kinds.length === 0 || kinds.includes(kind));
}

function paged(items: unknown[], query: URLSearchParams): Answer {
  const from = Number(query.get("cursor") ?? 0);
  const to = from + Number(query.get("limit") ?? 100);
  return list(items.slice(from, to), to < items.length ? String(to) : null);
}

function decide(world: World, id: string, act: Act): Answer {
  const found = steps(world).find((step) => step.id === id);
  if (!found) return refused(404, `there is no step ${id}`);
  if (!found.can.includes(act)) return refused(409, `step ${id} cannot be ${act}ed now`);
  if (act === "undo") {
    world.decided.delete(id);
    return { body: { id, outcome: "undone", detail: null } };
  }
  world.decided.set(id, act);
  return { body: steps(world).find((step) => step.id === id) };
}

function refused(status: number, detail: string): Answer {
  return { status, body: { type: "about:blank", title: "refused", status, detail } };
}

function send(response: ServerResponse, { status = 200, body, headers = {} }: Answer): void {
  const type = status < 400 ? "application/json" : "application/problem+json";
  response.writeHead(status, { "content-type": type, ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

function events(world: World, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const tick = () => {
    world.ticks += 1;
    response.write(`id: ${world.ticks}\nevent: tick\ndata: ${JSON.stringify(world.tick())}\n\n`);
  };
  tick();
  const timer = setInterval(tick, 2_000);
  response.on("close", () => clearInterval(timer));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}
