/** Keeps pictures of the pages in `docs/images`: `npm run screenshots`. */
import { test } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { settled } from "./fixtures.ts";
import { PROGRAM, type Running, startDemo } from "./program.ts";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "docs", "images");

interface Picture {
  name: string;
  path: string;
  dark?: boolean;
  width?: number;
  height?: number;
  /** What is brought into view. */
  at?: string;
}

const PICTURES: Picture[] = [
  { name: "now", path: "/", height: 1080 },
  { name: "now-dark", path: "/", dark: true, height: 1080 },
  { name: "now-narrow", path: "/", width: 375, height: 900 },
  { name: "cost", path: "/cost", height: 1240 },
  { name: "explain", path: "/cost" },
  { name: "plan", path: "/plan" },
  { name: "budgets", path: "/budgets?budget=everything" },
  { name: "nodes", path: "/nodes", height: 1080 },
  { name: "what-if", path: "/what-if" },
  { name: "what-if-history", path: "/what-if?view=history&window=7d&policy=release", height: 1080 },
  { name: "savings", path: "/savings" },
  { name: "offers", path: "/offers?purchase=any" },
  { name: "offers-history", path: "/offers", at: "#h-history" },
  { name: "journal", path: "/journal" },
];

let demo: Running;

test.beforeAll(async () => {
  test.setTimeout(180_000);
  if (!PROGRAM) throw new Error("FARTHING_PROGRAM does not name a program");
  mkdirSync(FOLDER, { recursive: true });
  demo = await startDemo(PROGRAM, { speed: 700, hours: 14 });
});
test.afterAll(async () => demo?.stop());

for (const { name, path, dark, width = 1280, height = 820, at } of PICTURES) {
  test(name, async ({ page }) => {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
    await page.goto(demo.url + path);
    await settled(page);
    if (name === "explain") {
      await page.getByRole("link", { name: "explain" }).first().click();
      await page.getByRole("dialog").getByText("Samples behind them").waitFor();
    }
    if (at) await page.locator(at).evaluate((there) => there.scrollIntoView());
    const bytes = await page.screenshot();
    // Few colours are in a page; a palette of them is a third of the size.
    const small = sharp(bytes).png({ palette: true, colours: 128, effort: 10 });
    await small.toFile(join(FOLDER, `dashboard-${name}.png`));
  });
}
