/** Passes requests to a running program. */
import { type IncomingMessage, request as send, type ServerResponse } from "node:http";

export function forward(
  upstream: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", upstream);
  // The program takes orders from its own pages only; here this server stands for them.
  const origin = request.headers.origin === undefined ? {} : { origin: url.origin };
  const headers = { ...request.headers, host: url.host, ...origin };
  return new Promise((done) => {
    const passed = send(url, { method: request.method ?? "GET", headers }, (answered) => {
      response.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(response);
    });
    response.on("close", () => {
      passed.destroy();
      done();
    });
    passed.on("error", (error) => {
      if (response.headersSent) return response.destroy();
      response.writeHead(502, { "content-type": "application/problem+json" });
      response.end(JSON.stringify({ title: "gone", status: 502, detail: error.message }));
    });
    request.pipe(passed);
  });
}
