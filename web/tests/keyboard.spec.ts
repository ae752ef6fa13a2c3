/** Everything by keyboard: skip link, focus that is seen, no traps, tables and dialogs. */
import { expect, PATHS, settled, test } from "./fixtures.ts";

test("the skip link leads to the figures", async ({ page, start }) => {
  const { url } = await start();
  await page.goto(`${url}/cost`);
  await settled(page);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the figures" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("#main")).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByLabel("Window")).toBeFocused();
});

test("a walk by Tab goes through and out of every page, and focus is seen", async ({
  page,
  start,
}) => {
  test.setTimeout(180_000);
  const { url } = await start({ nodes: 8 });
  for (const path of PATHS) {
    await page.goto(url + path);
    await settled(page);
    const all = await page.evaluate(() => {
      const can =
        "a[href]:not([tabindex='-1']), button:not(:disabled), select, input, summary, [tabindex='0']";
      return [...document.querySelectorAll<HTMLElement>(can)].filter((e) => e.checkVisibility())
        .length;
    });
    let seen = 0;
    let last = "";
    for (let press = 0; press < all + 5; press += 1) {
      await page.keyboard.press("Tab");
      const focus = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement | null;
        if (!element || element === document.body) return null;
        // The end of the page may lead straight to its beginning.
        if (element.dataset["walked"]) return null;
        element.dataset["walked"] = "yes";
        const style = getComputedStyle(element);
        const mark = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) > 0;
        return { mark, html: element.textContent?.trim().slice(0, 80) };
      });
      if (!focus) break;
      expect(focus.mark, `focus is seen on ${path}: ${focus.html}`).toBe(true);
      seen += 1;
      last = focus.html;
    }
    expect(seen, `${path}: all that can be used is reached; the last was ${last}`).toBe(all);
  }
});

test("a table is sorted and a dialog opened and left by keys", async ({ page, start }) => {
  const { url } = await start();
  await page.goto(`${url}/cost`);
  await settled(page);
  const idle = page.getByRole("columnheader", { name: "Idle" });
  await idle.getByRole("button").focus();
  await page.keyboard.press("Enter");
  await expect(idle).toHaveAttribute("aria-sort", "descending");
  await page.keyboard.press("Space");
  await expect(idle).toHaveAttribute("aria-sort", "ascending");
  await expect(idle.getByRole("button")).toBeFocused();
  const link = page.getByRole("link", { name: "Explain search" });
  await link.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(link).toBeFocused();
});

test("going to a page moves focus to its title and names the document", async ({ page, start }) => {
  const { url } = await start();
  await page.goto(url);
  await settled(page);
  await page.getByRole("navigation", { name: "Pages" }).getByText("Savings").press("Enter");
  await expect(page.locator("#title")).toBeFocused();
  await expect(page).toHaveTitle("Savings · Farthing");
});

test("ticks do not take the focus away", async ({ page, start }) => {
  const { url } = await start();
  await page.goto(url);
  await settled(page);
  const link = page.getByRole("link", { name: "The whole plan" });
  await link.focus();
  await page.waitForTimeout(5_000);
  await expect(link).toBeFocused();
});
