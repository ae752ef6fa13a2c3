/** Budgets: the tree, the ladder with its modes, cuts, a limit that is tried; unusual costs. */
import { expect, settled, test } from "./fixtures.ts";

test("a budget says why its limit is another, what each rung does, and what it costs", async ({
  page,
  start,
  faults,
}) => {
  const { url } = await start();
  await page.goto(`${url}/budgets`);
  await settled(page);
  // The one that is furthest gone is shown first.
  const one = page.getByRole("region", { name: /search-monthly/ });
  await expect(one).toContainText("ada allowed this limit until");
  await expect(one).toContainText("Without it, it is 3,600.00");
  const rungs = one.locator(".ladder li");
  await expect(rungs).toHaveText([
    /80 %\s+notify\s+done by itself\s+.\s+reached/,
    /100 %\s+hold\s+done by itself\s+.\s+reached/,
    /110 %\s+suspend\s+done when somebody approves it\s+.\s+not reached/,
  ]);
  await expect(one).toContainText("210.00 freed loses 4.50 and value 3");
  await expect(one).toContainText("Nothing that frees as much loses less.");
  await expect(one).toContainText("farthing budget settle c7");
  const step = one.getByRole("link", { name: "p7/2", exact: true });
  await expect(step).toHaveAttribute("href", "/plan?step=p7%2F2");
  const names = page.getByRole("region", { name: "All budgets, table" }).locator("tbody th");
  await expect(names).toHaveText([
    /search-monthly/,
    /vision-monthly[^]*in search-monthly/,
    /speech-/,
    /ranking-/,
    /language-/,
  ]);
  await page.getByRole("link", { name: "language-monthly" }).click();
  await expect(page.locator("main")).toContainText("120.00 were left by the period before");
  await page.getByRole("link", { name: "ranking-monthly" }).click();
  await expect(page.locator(".facts")).toContainText("4,000 GPU-h");
  // That a limit in hours is not reached in the period is known to nobody.
  await expect(page.locator(".facts div", { hasText: "Runs out" })).toContainText("unknown");
  expect(faults).toEqual([]);
});

test("a limit is tried in the address, and nothing is changed", async ({ page, start }) => {
  const { url } = await start();
  await page.goto(`${url}/budgets?budget=vision-monthly`);
  await settled(page);
  const field = page.getByRole("textbox", { name: "Another limit" });
  const asked = page.waitForRequest((request) => request.method() === "POST");
  await field.fill("3000 USD");
  await field.press("Enter");
  const request = await asked;
  expect(request.url()).toContain("/budgets/simulate");
  expect(request.postDataJSON()).toEqual({ limits: { "vision-monthly": "3000 USD" } });
  await expect(page).toHaveURL(/budget=vision-monthly&try=3000/);
  const table = page.getByRole("region", { name: "Another limit, table" });
  await expect(table.getByRole("row", { name: /Limit/ })).toContainText("6,000.00 3,000.00");
  await expect(table.getByRole("row", { name: /Gone/ })).toContainText("50.0 % 100.0 %");
  await page.reload();
  await expect(table).toContainText("100.0 %");
  await field.fill("a lot");
  await field.press("Enter");
  await expect(page.getByRole("alert")).toContainText("write it like 1500 USD");
  // Another budget has not that limit.
  await page.getByRole("link", { name: "speech-monthly" }).click();
  await expect(page).not.toHaveURL(/try=/);
});

test("unusual costs are where people look for money", async ({ page, start }) => {
  const { url } = await start();
  for (const path of ["/", "/budgets"]) {
    await page.goto(url + path);
    await settled(page);
    const line = page.locator(".odd");
    await expect(line).toContainText("team search cost 41.50 in the hour of");
    await expect(line).toContainText("where 18.20 are usual, and 1 other");
  }
  await page.getByRole("link", { name: "All of them" }).click();
  await settled(page);
  const rows = page.getByRole("region", { name: "Unusual costs, table" }).locator("tbody tr");
  await expect(rows).toHaveCount(2);
  await rows.first().getByRole("link").click();
  await expect(page).toHaveURL(/by=team&filter=team/);
  const { url: calm } = await start({ empty: true, nodes: 0 });
  await page.goto(calm);
  await settled(page);
  await expect(page.locator(".odd")).toHaveCount(0);
});
