/** Logging in to the program itself: by a token of it, and at a real provider of identities. */
import type { Page } from "@playwright/test";
import { axe } from "./axe.ts";
import { expect, settled, test } from "./fixtures.ts";
import { type Guarded, PROGRAM, run, startGuarded } from "./program.ts";

const TEAM = "speech";
let guarded: Guarded;

test.skip(!PROGRAM, "FARTHING_PROGRAM does not name a program");

test.beforeAll(async () => {
  test.setTimeout(60_000);
  if (PROGRAM) guarded = await startGuarded(PROGRAM, TEAM);
});
test.afterAll(async () => guarded?.stop());

/** At the provider: who one is, and that this is all right. */
async function atProvider(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name: "Log in at your provider" }).click();
  await expect(page).toHaveURL(new RegExp(`^${guarded.provider.issuer}/`));
  await page.locator("input[name=login]").fill(name);
  await page.locator("input[name=password]").fill("anything");
  await page.locator("button[type=submit]").click();
  await page.locator("button[type=submit]").click();
}

const out = (page: Page) => page.getByRole("button", { name: "Log out" });

test("by a token: a wrong one is refused, the address is kept", async ({ page, faults }) => {
  const made = ["token", "create", "anna", "--role", "operator", "--output", "json"];
  const told = run(PROGRAM ?? "", guarded.data, made);
  const { token } = JSON.parse(told) as { token: string };
  await page.goto(`${guarded.url}/plan?rows=workload`);
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Log in at your provider" })).toHaveAttribute(
    "href",
    "/api/v1/login/oidc?return=%2Fplan%3Frows%3Dworkload",
  );
  await page.getByLabel("API token").fill("fth_0123456789_wrong");
  await page.getByRole("button", { name: /Log in with/ }).click();
  await expect(page.getByRole("alert")).toContainText("not known");
  await expect(page.getByLabel("API token")).toHaveValue("");
  await page.getByLabel("API token").fill(token);
  await page.keyboard.press("Enter");
  await settled(page);
  await expect(page).toHaveURL(`${guarded.url}/plan?rows=workload`);
  await expect(page.locator(".about")).toContainText("anna operator");
  // Not for scripts, not for other sites.
  const [cookie] = await page.context().cookies(guarded.url);
  expect(cookie).toMatchObject({ name: "farthing", httpOnly: true, sameSite: "Strict" });
  await out(page).click();
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
  await expect(page.getByLabel("API token")).toBeVisible();
  await expect(page.locator(".about")).toHaveCount(0);
  expect(faults).toEqual([]);
});

test("at the provider: back on the page, only one's team, and out of both", async ({ page }) => {
  test.setTimeout(90_000);
  await page.goto(`${guarded.url}/cost?by=team`);
  await atProvider(page, "ben");
  await expect(page).toHaveURL(`${guarded.url}/cost?by=team`);
  await settled(page);
  await expect(page.locator(".about")).toContainText("ben team");
  // All that there is to see, here and in what the server answers, is of the team.
  const teams = async () => {
    const cost = await page.request.get(`${guarded.url}/api/v1/cost?by=team&window=24h`);
    const { rows } = (await cost.json()) as { rows: { team: string }[] };
    return rows.map(({ team }) => team);
  };
  await expect.poll(teams, { timeout: 45_000 }).toEqual([TEAM]);
  await page.reload();
  await settled(page);
  const heads = page.locator("main table").last().locator("tbody th");
  await expect(heads).toHaveText([TEAM]);
  await out(page).click();
  // The provider asks whether to end the session there, too.
  await expect(page).toHaveURL(new RegExp(`^${guarded.provider.issuer}/session/end`));
  await page.getByRole("button", { name: /yes/i }).click();
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
  await expect(page).toHaveURL(new RegExp(`^${guarded.url}/`));
  const session = await page.request.get(`${guarded.url}/api/v1/session`);
  expect(session.status()).toBe(401);
  // The next one has to say who he is.
  await page.getByRole("link", { name: "Log in at your provider" }).click();
  await expect(page.locator("input[name=login]")).toBeVisible();
});

test("someone of no group is told why he is not let in", async ({ page, faults }) => {
  await page.goto(guarded.url);
  await atProvider(page, "eve");
  await expect(page.getByRole("alert")).toContainText("None of your groups may do anything here");
  await page.goto(`${guarded.url}/api/v1/login/oidc/back?code=stolen&state=made-up`);
  await expect(page).toHaveURL(`${guarded.url}/login?refused=state`);
  await expect(page.getByRole("alert")).toContainText("not begun in this browser");
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await axe(page), colorScheme).toEqual([]);
  }
  await page.setViewportSize({ width: 375, height: 800 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
  expect(faults).toEqual([]);
});
