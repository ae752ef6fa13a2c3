/** Deep links, files to take along, and the way back. */
import { readFileSync } from "node:fs";
import { expect, settled, test } from "./fixtures.ts";

const PAST = "/what-if?view=history";

test("a click on a row goes deeper, and each state is an address", async ({
  page,
  start,
  faults,
}) => {
  const { url } = await start();
  await page.goto(`${url}/cost?window=7d`);
  await settled(page);
  await page.getByRole("link", { name: "language", exact: true }).click();
  await expect(page).toHaveURL(/filter=team%3A%22language%22/);
  await expect(page).toHaveURL(/by=workload/);
  await expect(page).toHaveURL(/window=7d/);
  const deep = page.url();
  await page.goBack();
  await expect(page).not.toHaveURL(/filter/);
  await page.goto(deep);
  await expect(page.getByLabel("Filter")).toHaveValue('team:"language"');
  await page.getByRole("link", { name: "Show everything" }).click();
  await expect(page).not.toHaveURL(/filter/);
  expect(faults).toEqual([]);
});

test("controls, sorting and pages are in the address", async ({ page, start }) => {
  const { url } = await start({ nodes: 90 });
  await page.goto(`${url}/nodes`);
  await settled(page);
  const nodes = page.getByRole("region", { name: "Nodes, table" });
  await nodes.getByRole("button", { name: "Per hour" }).click();
  await expect(page).toHaveURL(/nodes\.sort=-price/);
  await expect(nodes.locator("tbody tr").first()).toContainText("34.32");
  await nodes.getByRole("button", { name: "Per hour" }).click();
  await expect(page).toHaveURL(/nodes\.sort=price/);
  await page.getByRole("navigation", { name: "Pages of the table" }).getByText("Next").click();
  await expect(page).toHaveURL(/nodes\.page=2/);
  const first = await nodes.locator("tbody th").first().textContent();
  await page.reload();
  await settled(page);
  expect(await nodes.locator("tbody th").first().textContent()).toBe(first);
  await page.getByLabel("Node", { exact: true }).fill("node-00042");
  await page.getByLabel("Node", { exact: true }).press("Enter");
  await expect(page).toHaveURL(/node=node-00042/);
  await expect(nodes.locator("tbody tr")).toHaveCount(1);
});

test("a number opens its explanation, and what it is the sum of", async ({ page, start }) => {
  const { url } = await start();
  await page.goto(`${url}/cost`);
  await settled(page);
  await page.getByRole("link", { name: "Explain language" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("2 charges sum to the number exactly");
  await expect(dialog).toContainText("a made-up catalogue 2026-05-20");
  await expect(dialog).toContainText("2,880 samples");
  await expect(page).toHaveURL(/explain=row-/);
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(page).not.toHaveURL(/explain/);
});

test("every chart is taken along as CSV and as a picture", async ({ page, start, faults }) => {
  test.setTimeout(180_000);
  const { url } = await start();
  for (const path of ["/", "/cost", "/plan", "/budgets", "/nodes", "/savings", "/offers", PAST]) {
    await page.goto(url + path);
    await settled(page);
    for (const figure of await page.locator("figure").all()) {
      const [table] = await Promise.all([
        page.waitForEvent("download"),
        figure.getByRole("button", { name: /^CSV/ }).click(),
      ]);
      const text = readFileSync(await table.path(), "utf8");
      const lines = text.trimEnd().split("\r\n");
      expect(lines.length, `${path} ${table.suggestedFilename()}`).toBeGreaterThan(1);
      const [picture] = await Promise.all([
        page.waitForEvent("download"),
        figure.getByRole("button", { name: /^PNG/ }).click(),
      ]);
      const bytes = readFileSync(await picture.path());
      expect(bytes.subarray(1, 4).toString("latin1")).toBe("PNG");
      expect(bytes.readUInt32BE(16), "its width").toBeGreaterThan(600);
      expect(bytes.length).toBeGreaterThan(1500);
    }
  }
  expect(faults).toEqual([]);
});

test("a page that is not there says so", async ({ page, start }) => {
  const { url } = await start();
  await page.goto(`${url}/nowhere`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("No such page");
});

test("what-if asks with what is in the address, and refuses what is no number", async ({
  page,
  start,
}) => {
  const { url } = await start();
  await page.goto(`${url}/what-if`);
  await settled(page);
  const asked = page.waitForRequest((request) => request.method() === "POST");
  await page.getByLabel("Without providers").fill("aws, gcp");
  await page.getByLabel("Without providers").press("Enter");
  expect((await asked).postDataJSON()).toEqual({ without_providers: ["aws", "gcp"] });
  await expect(page).toHaveURL(/without=aws/);
  await page.goto(`${url}/what-if?budget=vision-monthly&limit=much`);
  await expect(page.getByRole("alert")).toContainText("write it like 1500 USD");
});
