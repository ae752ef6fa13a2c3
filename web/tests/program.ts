/** The program with its demo world, as people start it; the path is in `FARTHING_PROGRAM`. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { forward } from "../dev/forward.ts";
import { serve } from "../dev/serve.ts";
import { DIST } from "./fixtures.ts";

const HERE = dirname(fileURLToPath(import.meta.url));

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

/** Runs a command of the program on the data of a demo, and gives what it prints. */
export function run(program: string, data: string, command: string[]): string {
  return execFileSync(program, ["--data", data, ...command], { encoding: "utf8" });
}

/** A demo that asks everybody to log in, at a provider of identities, too. */
export interface Guarded extends Running {
  data: string;
  provider: { issuer: string };
}

/** People of the provider are in `tests/provider.mjs`; who is in `ml-research` is of `team`. */
export async function startGuarded(program: string, team: string): Promise<Guarded> {
  const data = mkdtempSync(join(tmpdir(), "farthing-web-"));
  const upstream = `http://127.0.0.1:${await freePort()}`;
  const served = await serve(DIST, (request, response) => forward(upstream, request, response));
  const provider = spawn("node", [join(HERE, "provider.mjs"), "--thin"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const lines = createInterface({ input: provider.stdout });
  const first = await new Promise<string>((line) => lines.once("line", line));
  const { issuer } = JSON.parse(first) as { issuer: string };
  const redirect_uris = [`${served.url}/api/v1/login/oidc/back`];
  const post_logout_redirect_uris = [`${served.url}/login`];
  const body = JSON.stringify({ redirect_uris, post_logout_redirect_uris });
  await fetch(`${issuer}/test/client`, { method: "POST", body });
  const config = join(data, "identity.yaml");
  writeFileSync(config, identity(issuer, served.url, team));
  const flags = ["--demo", "--history", "0s", "--auth", "--speed", "600", "--config", config, "--for", "10m"];
  const child = spawn(program, ["--data", data, "up", ...flags, "--listen", upstream.slice(7)], {
    stdio: "ignore",
    env: { ...process.env, FARTHING_TEST_SECRET: "only for tests: +/" },
  });
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  const stop = async () => {
    child.kill("SIGTERM");
    provider.kill();
    await Promise.all([ended, served.close()]);
    rmSync(data, { recursive: true, force: true });
  };
  const until = Date.now() + 30_000;
  while (!(await fetch(`${upstream}/readyz`).catch(() => null))?.ok) {
    if (Date.now() > until) throw new Error(`${upstream} is not ready within half a minute`);
    await new Promise((waited) => setTimeout(waited, 200));
  }
  return { url: served.url, data, provider: { issuer }, stop };
}

function identity(issuer: string, url: string, team: string): string {
  return `apiVersion: farthing.dev/v1alpha1
kind: Policy
spec: {mode: enforce}
---
apiVersion: farthing.dev/v1alpha1
kind: Identity
spec:
  issuer: ${issuer}
  client: farthing
  secret: {env: FARTHING_TEST_SECRET}
  url: ${url}
  grants:
    - {group: platform, role: admin}
    - {group: ml-research, role: team, teams: [${team}]}
`;
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

/** The day of the demo; what is before it is its past. */
const DAY = "2026-11-02T00:00:00Z,2026-11-03T00:00:00Z";

/** Until there is a plan and some hours of the day are posted. */
async function ready(url: string, hours: number): Promise<void> {
  const until = Date.now() + 120_000;
  while (Date.now() < until) {
    const cost = await fetch(`${url}/api/v1/cost?window=${DAY}`).catch(() => null);
    const posted = cost?.ok ? ((await cost.json()) as { hours: number }).hours : 0;
    if (posted >= hours) return;
    await new Promise((waited) => setTimeout(waited, 500));
  }
  throw new Error(`${url} had no ${hours} hours of charges within two minutes`);
}
