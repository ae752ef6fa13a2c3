/** Parts that need no browser: files, records, lanes, counts, waiting. */
import { expect, test } from "@playwright/test";
import { backOff } from "../src/api/live.ts";
import { amountOf, happened, inWords, planOf, verifiedOf } from "../src/api/records.ts";
import type { Cost, JournalRecord, NodeUse, Placement, Utilisation } from "../src/api/types.ts";
import { countsOf, heat, rowsOf } from "../src/charts/heat.ts";
import type { Ink } from "../src/charts/spec.ts";
import { lanesOf } from "../src/charts/gantt.ts";
import { sumsOf } from "../src/charts/savings.ts";
import { rowsByName } from "../src/charts/series.ts";
import { spansOf } from "../src/charts/spans.ts";
import { stepOf } from "../src/parts/controls.ts";
import { href, routeOf } from "../src/router.ts";
import { parse } from "../src/money/decimal.ts";
import { World } from "../dev/world.ts";

test("waits double up to half a minute, spread by a quarter", () => {
  expect([0, 1, 2, 3, 4, 5, 6, 60].map((attempt) => backOff(attempt, 0.5))).toEqual([
    1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000,
  ]);
  expect(backOff(0, 0)).toBe(750);
  expect(backOff(6, 1)).toBe(37_500);
});

test("addresses keep every state", () => {
  expect(href("now")).toBe("/");
  const to = href("cost", { by: "team", filter: 'team:"a&b"', none: null, empty: "" });
  const route = routeOf(new URL(to, "http://here"));
  expect(route.page).toBe("cost");
  expect(Object.fromEntries(route.query)).toEqual({ by: "team", filter: 'team:"a&b"' });
  expect(routeOf(new URL("http://here/")).page).toBe("now");
});

test("records of the journal are read, with what they lack", () => {
  const record = (kind: string, body: unknown): JournalRecord => {
    return { seq: 1, at: "2026-11-02T03:00:00Z", kind, hash: "", body };
  };
  expect(amountOf("12.5 USD")).toEqual({ number: "12.5", currency: "USD" });
  expect(amountOf("12.5")).toBeNull();
  expect(amountOf(undefined)).toBeNull();
  const plan = planOf(record("planned", { plan: "p1", cost: "5 USD", steps: [{ step: "p1/1" }] }));
  expect(plan.cost?.number).toBe("5");
  expect(plan.lower_bound).toBeNull();
  expect(plan.steps[0]?.id).toBe("p1/1");
  expect(planOf(record("planned", null)).steps).toEqual([]);
  const verified = (step: string) =>
    record("verified", {
      step,
      predicted: "2 USD",
      realised: "1.5 USD",
      to: "2026-11-02T03:00:00Z",
    });
  const all = verifiedOf([verified("a"), verified("b"), record("undone", { step: "b" })]);
  expect(all.map((one) => one.undone)).toEqual([false, true]);
  const sums = sumsOf(all, null);
  expect(sums).toHaveLength(1);
  expect(sums[0]?.realised).toBe(parse("1.5"));
  // Of the newest ones only: they end where all steps do.
  const totals = { predicted: parse("12"), realised: parse("10") };
  expect(
    sumsOf(verifiedOf([verified("a"), verified("c")]), totals).map((one) => one.realised),
  ).toEqual(["8.5", "10"].map(parse));
  expect(
    ["settled", "verified", "unheard-of"].map((kind) =>
      inWords({ record: kind, step: "p1/2", posted: "3 USD", target: "train", deep: {} }),
    ),
  ).toEqual([
    "p1/2 settled: the ledger posted 3 USD for it",
    "p1/2 on train: predicted saving unknown, realised unknown",
    "step p1/2, posted 3 USD, target train",
  ]);
  expect(inWords(null)).toBe("");
  expect(happened({ record: "receipted", outcome: "failed", detail: "gone" }).text).toBe(
    "failed: gone",
  );
});

test("placements that overlap get lanes of their own", () => {
  const one = (workload: string, offer: string, from: number, to: number): Placement => ({
    workload,
    offer,
    count: 1,
    nodes_each: 1,
    start: new Date(from * 3_600_000).toISOString(),
    end: new Date(to * 3_600_000).toISOString(),
    cost: "1",
    reference: null,
    r: null,
    stays: true,
  });
  const all = [one("a", "x", 0, 2), one("b", "x", 1, 3), one("c", "x", 2, 4), one("d", "y", 0, 1)];
  const lanes = lanesOf(all, "machine");
  const said = lanes.map((lane) => lane.bars.map(({ placement }) => placement.workload).join(""));
  expect(said).toEqual(["ac", "b", "d"]);
  expect(lanes.map((lane) => lane.name)).toEqual(["x", "", "y"]);
  for (const { bars } of lanes) {
    bars.slice(1).forEach((bar, at) => expect(bar.from).toBeGreaterThanOrEqual(bars[at]?.to ?? 0));
  }
});

test("of a node, not paid and not measured are two things, and neither is 0", () => {
  const window = { from: "2026-11-02T00:00:00Z", to: "2026-11-02T01:00:00Z" };
  const node = (name: string, value: number | null, measured: number | null): NodeUse => {
    return { node: name, resource: "gpu", mean: value, values: [value], measured: [measured] };
  };
  const nodes = [node("full", 1, 1), node("gone", null, null), node("none", 0, 1)];
  const use: Utilisation = { resources: ["gpu"], series: [{ window }], nodes, matched: 3, of: 3 };
  const counts = (use: Utilisation) => countsOf(use).map((row) => row[0]);
  expect(counts(use)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(rowsOf(use).map((row) => row.node)).toEqual(["none", "full", "gone"]);
  const dark: Utilisation = { ...use, nodes: [...nodes, node("dark", null, 0.2)] };
  expect(counts(dark)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
  const spec = heat(dark, rowsOf(dark), "utc");
  const ink = { ramp: [], series: [], places: {}, soft: "s", empty: "e" } as unknown as Ink;
  const [series] = (spec.option(ink, 800) as { series: { data: { itemStyle?: object }[] }[] })
    .series;
  const hatched = series?.data.filter(({ itemStyle }) => itemStyle && "decal" in itemStyle);
  expect(hatched).toHaveLength(1);
});

test("a statement by the hour is one span after the other, and sums to what is paid", () => {
  const world = new World({ seed: 3, nodes: 5 });
  const cost: Cost = world.cost(new URLSearchParams("by=team&window=24h&step=1h"));
  const spans = spansOf(cost);
  expect(spans).toHaveLength(24);
  const paid = spans.reduce((sum, span) => sum + parse(span.paid), 0n);
  expect(paid).toBe(parse(cost.paid));
  spans.slice(1).forEach((span, at) => expect(span.window.from).toBe(spans[at]?.window.to));
  const { named, other } = rowsByName(spans, ["ads"], (row) => String(row["team"]));
  const split = [...(named.get("ads") ?? []), ...other].reduce((sum, one) => sum + one, 0n);
  expect(split).toBe(paid);
  expect(["1h", "24h", "7d", "30d"].map(stepOf)).toEqual(["1h", "1h", "1d", "1d"]);
  expect(stepOf("2026-11-02T00:00:00Z,2026-11-03T00:00:00Z")).toBe("1h");
  expect(stepOf("2026-11-02T00:00:00Z,2026-12-03T00:00:00Z")).toBe("1d");
  expect(stepOf("today")).toBe("1d");
});
