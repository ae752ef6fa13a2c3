/** Passes requests to a running program. */
import { type IncomingMessage, request as send, type ServerResponse } from "node:http";
import { answer } from "./answer.ts";
import { World } from "./world.ts";

const made_up = new World({ seed: 1, nodes: 40 });

/** A route that the program does not have yet is answered by the made-up world. */
export async function forward(
  upstream: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", upstream);
  const series = url.pathname === "/api/v1/cost" && url.searchParams.has("step");
  if (series) return costWithSeries(url, response);
  const headers = { ...request.headers, host: url.host };
  const passed = send(url, { method: request.method ?? "GET", headers }, (answered) => {
    const missing = answered.statusCode === 404 || answered.statusCode === 405;
    if (missing && url.pathname !== "/api/v1/events") {
      answered.resume();
      void answer(made_up, request, response);
      return;
    }
    response.writeHead(answered.statusCode ?? 502, answered.headers);
    answered.pipe(response);
  });
  passed.on("error", (error) => {
    response.writeHead(502, { "content-type": "application/problem+json" });
    response.end(JSON.stringify({ title: "gone", status: 502, detail: error.message }));
  });
  if (request.method === "GET") passed.end();
  else request.pipe(passed);
}

interface Row {
  hour: string;
  [name: string]: string;
}

/** The program of today has no series: they are put together from rows by the hour. */
async function costWithSeries(url: URL, response: ServerResponse): Promise<void> {
  url.searchParams.delete("step");
  const whole = await fetch(url);
  const cost = (await whole.json()) as { rows: unknown; series?: unknown };
  url.searchParams.set("by", `hour,${url.searchParams.get("by") ?? "team"}`);
  const hourly = (await (await fetch(url)).json()) as { rows?: Row[] };
  const hours = new Map<string, Row[]>();
  for (const row of hourly.rows ?? []) hours.set(row.hour, [...(hours.get(row.hour) ?? []), row]);
  const sum = (rows: Row[], name: string) =>
    rows.reduce((sum, row) => sum + Number(row[name]), 0).toFixed(12);
  cost.series = [...hours].sort().map(([hour, rows]) => ({
    window: { from: hour, to: new Date(Date.parse(hour) + 3_600_000).toISOString() },
    paid: sum(rows, "total"),
    used: sum(rows, "used"),
    idle: sum(rows, "idle"),
    unallocated: sum(rows, "unallocated"),
    overhead: sum(rows, "overhead"),
    rows,
  }));
  response.writeHead(whole.status, { "content-type": "application/json" });
  response.end(JSON.stringify(cost));
}
