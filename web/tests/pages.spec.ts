/** Each page and state: figures, no faults, axe in light and dark, useful at 375 px. */
import { axe } from "./axe.ts";
import { expect, PATHS, settled, STATES, test } from "./fixtures.ts";

for (const scheme of ["light", "dark"] as const) {
  test(`every page is axe-core clean in ${scheme}`, async ({ page, start, faults }) => {
    test.setTimeout(180_000);
    const { url } = await start();
    await page.emulateMedia({ colorScheme: scheme });
    for (const path of [...PATHS, ...STATES]) {
      await page.goto(url + path);
      await settled(page);
      expect.soft(await axe(page), `${path} in ${scheme}`).toEqual([]);
    }
    expect(faults).toEqual([]);
  });
}

test("every page is useful at 375 px", async ({ page, start, faults }) => {
  test.setTimeout(120_000);
  const { url } = await start();
  await page.setViewportSize({ width: 375, height: 800 });
  for (const path of [...PATHS, ...STATES]) {
    await page.goto(url + path);
    await settled(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect.soft(wide, `${path} must not scroll sideways`).toBeLessThanOrEqual(375);
    // Columns that are left out leave the name and the figure in view.
    for (const table of await page.locator("main .scroll").all()) {
      const [inner, outer] = await table.evaluate((e) => [e.scrollWidth, e.clientWidth]);
      expect.soft(inner, `a table on ${path}`).toBeLessThanOrEqual((outer ?? 0) + 60);
    }
  }
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("link", { name: "Offers" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Offers");
  expect(faults).toEqual([]);
});

test("the bar adds up: its parts fill it, and the statement sums to what is paid", async ({
  page,
  start,
}) => {
  const { url } = await start();
  await page.goto(`${url}/cost`);
  await settled(page);
  const widths = await page
    .locator(".places rect.part")
    .evaluateAll((parts) =>
      parts.map((part) => Number.parseFloat(part.getAttribute("width") ?? "0")),
    );
  const sum = widths.reduce((sum, width) => sum + width, 0);
  expect(sum).toBeGreaterThan(99.98);
  expect(sum).toBeLessThan(100.02);
  const column = await page.locator(".statement tbody tr td:nth-child(2)").allTextContents();
  const cents = column.map((text) => Number(text.replace(/[,.]/g, "")));
  const [allocated = 0, used = 0, idle = 0, unallocated = 0, overhead = 0, paid = 0] = cents;
  expect(used + idle).toBe(allocated);
  expect(allocated + unallocated + overhead).toBe(paid);
  expect(paid).toBeGreaterThan(0);
});

test("unknown is shown as unknown with its reason, never as 0", async ({ page, start }) => {
  const { url } = await start();
  await page.goto(`${url}/nodes`);
  await settled(page);
  const price = page
    .getByRole("row", { name: /node-00005/ })
    .locator("td")
    .nth(3);
  await expect(price).toContainText("unknown: its region is in no book");
  const use = page.getByRole("region", { name: "Utilisation ladder by device" });
  await expect(use).toContainText("unknown: not-exported; this would export it");
  await page.goto(url);
  await settled(page);
  await expect(page.getByText("utilisation is not measured for storage")).toBeVisible();
  await expect(page.locator(".bands li", { hasText: "storage" })).toContainText("unknown");
});

test("times are of the viewer's zone, UTC on hover, and UTC by choice", async ({ page, start }) => {
  const { url } = await start();
  await page.goto(`${url}/plan`);
  await settled(page);
  const made = page.locator("#h-lead time");
  await expect(made).toHaveText("2 Nov, 13:00:00");
  await expect(made).toHaveAttribute("title", "2026-11-02 12:00:00 UTC");
  await page.getByRole("button", { name: /Times in Europe\/Berlin/ }).click();
  await expect(made).toHaveText("2 Nov, 12:00:00");
  await page.reload();
  await expect(page.locator("#h-lead time")).toHaveText("2 Nov, 12:00:00");
});

test("the first content comes within a second", async ({ page, start }) => {
  const { url } = await start();
  await page.goto(url);
  await settled(page);
  const first = await page.evaluate(
    () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Infinity,
  );
  console.log(`first contentful paint ${Math.round(first)} ms`);
  expect(first).toBeLessThan(1000);
});
