/**
 * For `npm run dev` only: answers `/api/v1` from a running program (`FARTHING_URL`), or without one
 * from the made-up world of `world.ts`.
 */
import type { Connect, Plugin } from "vite";
import { answer } from "./answer.ts";
import { forward } from "./forward.ts";
import { World } from "./world.ts";

export function world(): Plugin {
  const upstream = process.env["FARTHING_URL"];
  const made_up = new World({ seed: 1, nodes: 40 });
  const handle: Connect.NextHandleFunction = (request, response, next) => {
    if (!request.url?.startsWith("/api/v1/")) return next();
    if (upstream) void forward(upstream, request, response);
    else void answer(made_up, request, response);
  };
  return {
    name: "farthing-world",
    configureServer: (server) => void server.middlewares.use(handle),
    configurePreviewServer: (server) => void server.middlewares.use(handle),
  };
}
