/** The built dashboard over a made-up world, and a note of everything that must not happen. */
import { test as base, type Page } from "@playwright/test";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { answer } from "../dev/answer.ts";
import { serve, type Served } from "../dev/serve.ts";
import { World, type WorldOptions } from "../dev/world.ts";

export const DIST = join(dirname(fileURLToPath(import.meta.url)), "..", "dist");

export const PATHS = [
  "/",
  "/cost",
  "/plan",
  "/budgets",
  "/nodes",
  "/what-if",
  "/savings",
  "/offers",
  "/journal",
];

/** Dialogs and states beside the pages themselves. */
export const STATES = [
  "/cost?by=team,workload&stack=places",
  "/cost?explain=row-000000000000",
  "/plan?step=p7/1",
  "/plan?step=p7/1&act=approve",
  "/plan?plan=p3&rows=workload",
  "/budgets?budget=search-monthly&try=3000%20USD",
  "/nodes?verdict=vision-1",
  "/journal?record=188",
  "/what-if?view=history&policy=release",
];

export interface Opened {
  url: string;
  world: World;
  served: Served;
}

interface Fixtures {
  /** Serves a world; it ends with the test. */
  start: (options?: Partial<WorldOptions>) => Promise<Opened>;
  /** Errors of the page and refusals by its content security policy. */
  faults: string[];
}

export const test = base.extend<Fixtures>({
  // Playwright asks for a pattern, also where there is nothing to take.
  // eslint-disable-next-line no-empty-pattern
  start: async ({}, use) => {
    const all: Served[] = [];
    await use(async (options = {}) => {
      const world = new World({ seed: 7, nodes: 30, ...options });
      const served = await serve(DIST, (request, response) => answer(world, request, response));
      all.push(served);
      return { url: served.url, world, served };
    });
    for (const served of all) await served.close();
  },
  faults: async ({ page }, use) => {
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      const refused = /Content Security Policy|Refused to/.test(text);
      const broken = message.type() === "error" && !text.startsWith("Failed to load resource");
      if (refused || broken) faults.push(text);
    });
    await use(faults);
  },
});

/** Waits until nothing is loading and all charts are drawn. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const busy = document.querySelector("[aria-busy=true]");
    const charts = [...document.querySelectorAll<HTMLElement>("farthing-chart")];
    const drawn = charts.every((chart) => chart.dataset["drawn"] === "true");
    return !busy && drawn && document.querySelector("main h1") !== null;
  });
}

export { expect } from "@playwright/test";
