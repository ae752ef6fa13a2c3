/** Serves `dist` as the program does: same headers, same client routes; the API from a handler. */
import { readFileSync, existsSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

export interface Served {
  url: string;
  server: Server;
  close(): Promise<void>;
}

export async function serve(dist: string, api: Handler, port = 0): Promise<Served> {
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/api/")) void api(request, response);
    else file(dist, request, response);
  });
  await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
  const { port: bound } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((closed) => {
      server.close(() => closed());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${bound}`, server, close };
}

function file(dist: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? "/", "http://here");
  const asked = join(dist, normalize(pathname));
  const inside = asked.startsWith(dist) && extname(asked) !== "" && existsSync(asked);
  const path = inside ? asked : join(dist, "index.html");
  const brotli = /\bbr\b/.test(String(request.headers["accept-encoding"] ?? ""));
  const packed = brotli && existsSync(`${path}.br`);
  response.writeHead(200, {
    "content-type": TYPES[extname(path)] ?? "application/octet-stream",
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "cache-control": inside ? "public, max-age=31536000, immutable" : "no-cache",
    ...(packed ? { "content-encoding": "br" } : {}),
  });
  response.end(readFileSync(packed ? `${path}.br` : path));
}
