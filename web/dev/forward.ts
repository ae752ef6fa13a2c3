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
  // The program takes orders from its own pages only; here this server stands for them.
  const origin = request.headers.origin === undefined ? {} : { origin: url.origin };
  const headers = { ...request.headers, host: url.host, ...origin };
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
