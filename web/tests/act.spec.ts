/** Steps that people decide about, and the line to the server. */
import { answer } from "../dev/answer.ts";
import { serve } from "../dev/serve.ts";
import { DIST, expect, PATHS, settled, test } from "./fixtures.ts";

test("approve, then in force, then undo", async ({ page, start, faults }) => {
  const { url, world } = await start();
  await page.goto(`${url}/plan`);
  await settled(page);
  const row = page.getByRole("row", { name: /p7\/1/ });
  await row.getByRole("button", { name: "Approve" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("What else there was, and why it lost");
  await dialog.getByLabel(/Reason/).fill("looks right");
  const sent = page.waitForRequest((request) => request.url().includes("/approve"));
  await dialog.getByRole("button", { name: "Approve", exact: true }).click();
  const request = await sent;
  expect(request.url()).toContain("/steps/p7%2F1/approve");
  expect(request.headers()["x-farthing-csrf"]).toBe("csrf-1");
  expect(request.postDataJSON()).toEqual({ reason: "looks right" });
  await expect(dialog).toBeHidden();
  await expect(page.getByRole("status").filter({ hasText: "approved" })).toHaveCount(1);
  await expect(row).toContainText("in force");
  expect(world.decided.get("p7/1")).toBe("approve");
  await row.getByRole("button", { name: "Undo" }).click();
  await dialog.getByRole("button", { name: "Undo", exact: true }).click();
  await expect(row).toContainText("proposed");
  expect(world.decided.has("p7/1")).toBe(false);
  expect(faults).toEqual([]);
});

test("what the server refuses is said where it was asked", async ({ page, start }) => {
  const { url } = await start();
  const detail = "step p7/1 expired at 12:03";
  const body = JSON.stringify({ title: "conflict", status: 409, detail });
  await page.route("**/approve", (route) => route.fulfill({ status: 409, body }));
  await page.goto(`${url}/plan?step=p7/1&act=approve`);
  await settled(page);
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Approve", exact: true }).click();
  await expect(dialog.getByRole("alert")).toContainText(detail);
  await expect(dialog).toBeVisible();
});

test("the server gone, and back, with the figures kept meanwhile", async ({ page, start }) => {
  const { url, world, served } = await start();
  await page.goto(url);
  await settled(page);
  await expect(page.locator(".side")).toContainText("live");
  const paid = await page.locator(".figure").first().textContent();
  await served.close();
  const alert = page.getByRole("alert");
  await expect(alert).toContainText("The server does not answer");
  await expect(alert).toContainText(/Next try in|Trying now/);
  expect(paid).toMatch(/\d/);
  await expect(page.locator(".figure").first()).toContainText(/\d/);
  const port = Number(new URL(url).port);
  const again = await serve(DIST, (request, response) => answer(world, request, response), port);
  await expect(alert).toBeHidden({ timeout: 40_000 });
  await expect(page.locator(".side")).toContainText("live", { timeout: 15_000 });
  await expect(page.getByText("The server is back.")).toHaveCount(1);
  await again.close();
});

test("a server that is not there at the start", async ({ page, start }) => {
  const { url } = await start();
  await page.route("**/api/**", (route) => route.abort("connectionrefused"));
  await page.goto(url);
  await expect(page.getByRole("alert")).toContainText("The server does not answer");
  await page.unroute("**/api/**");
  await page.getByRole("button", { name: "Try now" }).click();
  await settled(page);
  await expect(page.locator(".figure").first()).toContainText(/\d/);
});

test("an empty world says what will come, and shows no figure that it has not", async ({
  page,
  start,
  faults,
}) => {
  const { url } = await start({ empty: true, nodes: 0 });
  for (const path of PATHS) {
    await page.goto(url + path);
    await settled(page);
    await expect(page.locator("main .state").first(), path).toBeVisible();
    await expect(page.locator("main")).not.toContainText(/NaN|undefined|null|Infinity/);
  }
  await page.goto(url);
  await expect(page.locator(".figure")).toContainText("unknown");
  await expect(page.getByText("The loop starts.")).toBeVisible();
  expect(faults).toEqual([]);
});

test("an answer of another shape fails its page only, and says so", async ({ page, start }) => {
  const { url } = await start();
  await page.route("**/api/v1/budgets*", (route) => route.fulfill({ json: { items: [{}] } }));
  await page.goto(`${url}/budgets`);
  await expect(page.locator("main")).toContainText("The page failed");
  await page.getByRole("link", { name: "Cost" }).click();
  await settled(page);
  await expect(page.locator(".figure").first()).toContainText(/\d/);
});
