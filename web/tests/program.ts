/** The program with its demo world, as people start it; the path is in `FARTHING_PROGRAM`. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { forward } from "../dev/forward.ts";
import { serve } from "../dev/serve.ts";
import { DIST } from "./fixtures.ts";

export const PROGRAM = process.env["FARTHING_PROGRAM"];

export interface Running {
  /** Where the dashboard is. */
  url: string;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

export interface Pace {
  /** Virtual seconds for each real one; the demo has a day of them. */
  speed: number;
  /** Hours that must have charges before anything is looked at. */
  hours: number;
}

export async function startDemo(
  program: string,
  { speed, hours }: Pace = { speed: 600, hours: 3 },
): Promise<Running> {
  const data = mkdtempSync(join(tmpdir(), "farthing-web-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const flags = ["--demo", "--speed", String(speed), "--listen", `127.0.0.1:${port}`];
  const child = spawn(program, ["--data", data, "up", ...flags, "--for", "10m"], {
    stdio: "ignore",
  });
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(data, { recursive: true, force: true });
  };
  await ready(url, hours).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const page = await (await fetch(url)).text();
  if (page === readFileSync(join(DIST, "index.html"), "utf8")) return { url, stop };
  // A program with no dashboard in it, or another: what was built here is put before it.
  const served = await serve(DIST, (request, response) => forward(url, request, response));
  return {
    url: served.url,
    stop: async () => {
      await served.close();
      await stop();
    },
  };
}

/** Until there is a plan and some hours are posted. */
async function ready(url: string, hours: number): Promise<void> {
  const until = Date.now() + 120_000;
  while (Date.now() < until) {
    const cost = await fetch(`${url}/api/v1/cost?window=24h`).catch(() => null);
    const posted = cost?.ok ? ((await cost.json()) as { hours: number }).hours : 0;
    if (posted >= hours) return;
    await new Promise((waited) => setTimeout(waited, 500));
  }
  throw new Error(`${url} had no ${hours} hours of charges within two minutes`);
}
