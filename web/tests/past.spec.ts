/** The past under other choices, and the prices of the past. */
import { expect, settled, test } from "./fixtures.ts";

test("recorded history is compared choice by choice, each state an address", async ({
  page,
  start,
  faults,
}) => {
  const { url } = await start();
  await page.goto(`${url}/what-if`);
  await settled(page);
  await page.getByRole("combobox", { name: /^Of/ }).selectOption("history");
  await expect(page).toHaveURL(/view=history/);
  await settled(page);
  const choices = page.getByRole("region", { name: "Choices side by side, table" });
  await expect(choices.locator("tbody tr")).toHaveCount(5);
  const release = choices.getByRole("row", { name: /released after 10m/ });
  await expect(release).toContainText("880.00");
  await expect(release).toContainText("120.00");
  // What is the least that it could be says so, in words of the picture and of the table.
  await expect(choices.getByRole("row", { name: /kept free/ })).toContainText("≥ 700.00");
  await expect(choices.getByRole("row", { name: /cheapest with/ })).toContainText("−40.00");
  await release.getByRole("link").click();
  await expect(page).toHaveURL(/policy=release/);
  const rows = page.getByRole("region", { name: "By offer, table" });
  await expect(rows).toContainText("as it was: nobody looked");
  await expect(page.getByText("deadline missed")).toBeVisible();
  const asked = page.waitForRequest((request) => request.url().includes("idle_after=30m"));
  await page.getByRole("textbox", { name: "Idle nodes released after" }).fill("30m");
  await page.getByRole("textbox", { name: "Idle nodes released after" }).press("Enter");
  await asked;
  await expect(page).toHaveURL(/idle_after=30m/);
  await page.reload();
  await settled(page);
  await expect(page.getByRole("textbox", { name: "Idle nodes released after" })).toHaveValue("30m");
  await expect(rows).toBeVisible();
  expect(faults).toEqual([]);
});

test("books without hours say so", async ({ page, start }) => {
  const { url } = await start({ empty: true });
  await page.goto(`${url}/what-if?view=history`);
  await settled(page);
  await expect(page.getByText("The books have nothing of this window.")).toBeVisible();
  await page.goto(`${url}/offers`);
  await settled(page);
  await expect(page.getByText("Nobody paid for a node in this time.")).toBeVisible();
});

test("prices that were paid have a history", async ({ page, start, faults }) => {
  const { url } = await start();
  await page.goto(`${url}/offers`);
  await settled(page);
  const history = page.getByRole("region", { name: "Prices that were paid, table" });
  // What changed comes first; what no book has any more is unknown and not 0.
  const first = history.locator("tbody tr").first();
  await expect(first).toContainText("g2-standard-8");
  await expect(first).toContainText("0.7500");
  await expect(first).toContainText("unknown: no book has it now");
  await page.getByLabel("Prices of").selectOption("30d");
  await expect(page).toHaveURL(/past=30d/);
  expect(faults).toEqual([]);
});
