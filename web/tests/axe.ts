/** What axe-core finds on a page: nothing, where all is well. */
import type { Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface AxeResult {
  violations: { id: string; help: string; nodes: { target: string[]; html: string }[] }[];
}

/** Runs in the page's own world through the debugger, which the page's policy does not bind. */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const result = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(o: object): Promise<AxeResult> } };
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    return axe.run({ runOnly: { type: "tag", values: tags } });
  });
  return result.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((n) => `${n.target.join(" ")} ${n.html}`).join("; ")}`,
  );
}
