/** Each page on the demo world of the program itself. */
import { expect, PATHS, settled, test } from "./fixtures.ts";
import { PROGRAM, type Running, startDemo } from "./program.ts";

let demo: Running;

test.skip(!PROGRAM, "FARTHING_PROGRAM does not name a program");

test.beforeAll(async () => {
  test.setTimeout(120_000);
  if (PROGRAM) demo = await startDemo(PROGRAM);
});
test.afterAll(async () => demo?.stop());

for (const path of PATHS) {
  test(`the demo world on ${path}`, async ({ page, faults }) => {
    await page.goto(demo.url + path);
    await settled(page);
    await expect(page.locator("main")).not.toContainText(/NaN|undefined|\bnull\b|Infinity/);
    await expect(page.locator("main .refused")).toHaveCount(0);
    expect(faults).toEqual([]);
  });
}

test("the places of the demo sum to what its server says is paid", async ({ page, request }) => {
  await page.goto(`${demo.url}/cost?window=6h`);
  await settled(page);
  const cells = await page.locator(".statement tbody tr td:nth-child(2)").allTextContents();
  const cents = cells.map((text) => Number(text.replace(/[,.]/g, "")));
  const [allocated = 0, used = 0, idle = 0, unallocated = 0, overhead = 0, paid = 0] = cents;
  expect(used + idle).toBe(allocated);
  expect(allocated + unallocated + overhead).toBe(paid);
  const answer = await request.get(`${demo.url}/api/v1/cost?window=6h&by=team`);
  const said = (await answer.json()) as { paid: string; difference: string };
  expect(said.difference).toBe("0.00");
  // The hour goes on while this test looks: what is paid only grows.
  expect(Number(said.paid) * 100).toBeGreaterThan(paid - 1);
});

test("a budget is forecast from the past of the demo, as a fan", async ({ page }) => {
  await page.goto(`${demo.url}/budgets?budget=everything`);
  await settled(page);
  const chart = page.getByRole("img", { name: /Budget everything in USD/ });
  await expect(chart).toHaveAccessibleName(/forecast [\d,.]+ at the end/);
  await expect(page.locator("main")).toContainText(/of \d+ past weeks/);
});

test("what does nothing is found among what works, with its evidence", async ({ page }) => {
  await page.goto(`${demo.url}/nodes`);
  await settled(page);
  const row = page.getByRole("row", { name: /research-notebook/ }).first();
  await expect(row).toContainText("loaded idle");
  await row.getByRole("link", { name: "research-notebook" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("memory is held, and nothing runs");
  await expect(dialog).toContainText(/\d+ of \d+ records/);
  await expect(page.locator("main")).toContainText("nobody has");
});

test("any row of the statement is explained down to prices and samples", async ({ page }) => {
  await page.goto(`${demo.url}/cost`);
  await settled(page);
  await page.getByRole("link", { name: "explain" }).first().click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText(/charges sum to the number exactly/);
  await expect(dialog).toContainText(/samples,/);
});

test("a step in force is undone, and the journal has it", async ({ page }) => {
  test.setTimeout(90_000);
  await page.goto(`${demo.url}/plan?steps.sort=-end`);
  await settled(page);
  const undo = page.getByRole("button", { name: /^Undo p/ }).first();
  await undo.waitFor({ timeout: 30_000 });
  await undo.click();
  const dialog = page.getByRole("dialog");
  const name = (await dialog.locator("#dialog-title").textContent()) ?? "";
  await dialog.getByRole("button", { name: "Undo", exact: true }).click();
  await expect(dialog).toBeHidden({ timeout: 20_000 });
  await page.goto(`${demo.url}/journal?kind=undone`);
  await settled(page);
  await expect(page.locator(".journal li").first(), name).toContainText("undone");
});

test("ticks come by events and move the page", async ({ page }) => {
  await page.goto(demo.url);
  await settled(page);
  await expect(page.locator(".side")).toContainText("live");
  const last = page.locator(".about div", { hasText: "Last tick" }).locator("time");
  const before = await last.getAttribute("datetime");
  await expect(last).not.toHaveAttribute("datetime", before ?? "");
});
