/** Names with markup, in every label of every page: shown as the text that they are. */
import { expect, PATHS, settled, STATES, test } from "./fixtures.ts";

const MARKUP = `<img src=x onerror="window.hacked=1">{{a|b}}'"<script>window.hacked=1</script>`;

test("markup in every name is text", async ({ page, start, faults }) => {
  test.setTimeout(180_000);
  const { url } = await start({ prefix: MARKUP });
  const named = [
    `/nodes?verdict=${encodeURIComponent(`${MARKUP}vision-1`)}`,
    `/budgets?budget=${encodeURIComponent(`${MARKUP}search-monthly`)}`,
    `/cost?filter=${encodeURIComponent(MARKUP)}`,
    `/nodes?node=${encodeURIComponent(MARKUP)}`,
    `/${encodeURIComponent(MARKUP)}`,
    `/plan?plan=${encodeURIComponent(MARKUP)}`,
    `/journal?kind=${encodeURIComponent(MARKUP)}`,
  ];
  for (const path of [...PATHS, ...STATES, ...named]) {
    await page.goto(url + path);
    await settled(page);
    const found = await page.evaluate(() => ({
      hacked: "hacked" in window,
      images: document.querySelectorAll('img:not([src="/favicon.svg"])').length,
      scripts: document.querySelectorAll("body script").length,
    }));
    expect(found, path).toEqual({ hacked: false, images: 0, scripts: 0 });
  }
  await page.goto(`${url}/plan`);
  await settled(page);
  await expect(page.locator("main")).toContainText('<img src=x onerror="window.hacked=1">');
  expect(faults).toEqual([]);
});

test("tooltips of charts are text too", async ({ page, start, faults }) => {
  const { url } = await start({ prefix: MARKUP });
  for (const path of ["/cost", "/plan", "/nodes", "/offers", "/what-if"]) {
    await page.goto(url + path);
    await settled(page);
    const chart = page.locator("farthing-chart").last();
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    if (!box) throw new Error("no chart");
    for (const part of [0.3, 0.5, 0.7]) {
      await page.mouse.move(box.x + box.width * part, box.y + box.height * 0.45, { steps: 3 });
    }
    await page.waitForTimeout(200);
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
  }
  expect(faults).toEqual([]);
});

test("a file of such names does not run in a spreadsheet", async ({ page, start }) => {
  const { url } = await start({ prefix: "=HYPERLINK(" });
  await page.goto(`${url}/cost`);
  await settled(page);
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "CSV of Cost by team" }).click(),
  ]);
  const stream = await file.createReadStream();
  let text = "";
  for await (const part of stream) text += String(part);
  expect(text).toContain("'=HYPERLINK(language");
  expect(text).not.toMatch(/(^|,)=/m);
});
