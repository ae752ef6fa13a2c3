/** A budget over its period: what was spent, the forecast as a fan, the limit and its rungs. */
import type { Budget } from "../api/budget-types.ts";
import { format, parse, parseOrNull, type Pico, toNumber } from "../money/decimal.ts";
import { percent } from "../money/number.ts";
import { show, utc, type Zone } from "../money/time.ts";
import { GRID, mark, moneyAxis, timeAxis } from "./axes.ts";
import { axisTooltip, legend } from "./series.ts";
import type { ChartSpec, Ink } from "./spec.ts";

/** Spending at the end of each day of the period, and now. */
export function pointsOf(budget: Budget, now: number): { at: number; spent: Pico }[] {
  const from = Date.parse(budget.period.from);
  const end = Math.min(Date.parse(budget.period.to), Math.max(now, from));
  const days = budget.burn.map(({ at, spent }) => ({
    at: Math.min(Date.parse(at), end),
    spent: parse(spent),
  }));
  const points = [{ at: from, spent: 0n }, ...days.filter(({ at }) => at > from && at < end)];
  return end > from ? [...points, { at: end, spent: parse(budget.spent) }] : points;
}

export function burn(budget: Budget, now: number, zone: Zone): ChartSpec {
  const limit = parseOrNull(budget.limit);
  const { forecast, spent } = budget;
  const said = [
    `spent ${format(parse(spent))}`,
    limit === null ? "" : `limit ${format(limit)}`,
    forecast ? `forecast ${format(parse(forecast.p50))} at the end` : "no forecast",
  ];
  return {
    key: `burn ${budget.budget} ${zone} ${now} ${spent} ${forecast?.p50} ${budget.limit}`,
    height: 300,
    label: `Budget ${budget.budget} in ${budget.currency}: ${said.filter(Boolean).join(", ")}.`,
    option: (ink) => option(budget, pointsOf(budget, now), zone, ink),
  };
}

type Point = ReturnType<typeof pointsOf>[number];

function option(budget: Budget, points: Point[], zone: Zone, ink: Ink): object {
  const from = Date.parse(budget.period.from);
  const to = Date.parse(budget.period.to);
  const spent = points.map(({ at, spent }) => [at, toNumber(spent)]);
  const now = points.at(-1)?.at ?? from;
  return {
    grid: { ...GRID, top: 40, right: 98 },
    legend: { ...legend(ink), icon: "", itemWidth: 28, data: ["spent", "forecast"] },
    xAxis: timeAxis({ from, to, zone }, ink),
    yAxis: moneyAxis(ink, budget.currency, {
      max: top(budget),
      axisLabel: { color: ink.soft, formatter: mark, showMaxLabel: false },
    }),
    tooltip: {
      ...axisTooltip(ink),
      formatter: (all: { axisValue: number }[]) => told(budget, points, zone, all[0]?.axisValue),
    },
    series: [
      {
        type: "line",
        name: "spent",
        data: spent,
        symbol: "none",
        lineStyle: { color: ink.series[0], width: 2 },
        itemStyle: { color: ink.series[0] },
        areaStyle: { color: ink.series[0], opacity: 0.14 },
        markLine: { ...lines(budget, ink), data: marks(budget, now, ink) },
      },
      ...fan(budget, points, ink),
    ],
  };
}

/** The limit is always in the picture, and rungs a little above it. */
function top(budget: Budget): (range: { max: number }) => number | null {
  const limit = parseOrNull(budget.limit);
  if (limit === null) return () => null;
  const rungs = budget.escalate.map((rung) => rung.at);
  const highest = Math.max(1, ...rungs.filter((at) => at <= 1.3)) * toNumber(limit);
  return ({ max }) => (max > highest * 1.04 ? null : highest * 1.04);
}

function lines(budget: Budget, ink: Ink): object {
  return {
    symbol: "none",
    silent: true,
    label: { color: ink.soft, fontSize: 11, distance: 4, formatter: "{b}" },
    animation: false,
    precision: budget.limit === null ? 0 : 2,
  };
}

function marks(budget: Budget, now: number, ink: Ink): object[] {
  const limit = parseOrNull(budget.limit);
  const at_now = {
    name: "now",
    xAxis: now,
    lineStyle: { color: ink.soft, type: "solid", width: 1 },
    label: { position: "start", formatter: "" },
  };
  if (limit === null) return [at_now];
  const rungs = budget.escalate.map((rung) => ({
    name: `${percent(rung.at, 0)} ${rung.do}`,
    yAxis: toNumber(limit) * rung.at,
    lineStyle: {
      color: rung.at === 1 ? ink.warn : ink.soft,
      type: rung.at === 1 ? "solid" : "dashed",
      width: rung.at === 1 ? 2 : 1,
    },
  }));
  const whole = { name: "limit", yAxis: toNumber(limit), lineStyle: { color: ink.warn, width: 2 } };
  return [at_now, ...rungs, ...(rungs.some((rung) => rung.name.startsWith("100")) ? [] : [whole])];
}

/** From what is spent now to the tenth, the middle and the ninetieth of a hundred at the end. */
function fan(budget: Budget, points: Point[], ink: Ink): object[] {
  const { forecast } = budget;
  const last = points.at(-1);
  if (!forecast || !last) return [];
  const start = [last.at, toNumber(last.spent)] as const;
  const end = Date.parse(budget.period.to);
  const low = toNumber(parse(forecast.p10));
  const spread = toNumber(parse(forecast.p90)) - low;
  const hidden = { type: "line", symbol: "none", stack: "fan", lineStyle: { opacity: 0 } };
  return [
    { ...hidden, name: "p10", data: [[...start], [end, low]] },
    {
      ...hidden,
      name: "p90",
      data: [
        [start[0], 0],
        [end, spread],
      ],
      areaStyle: { color: ink.series[1], opacity: 0.28 },
    },
    {
      type: "line",
      name: "forecast",
      symbol: "none",
      data: [[...start], [end, toNumber(parse(forecast.p50))]],
      lineStyle: { color: ink.series[1], width: 2, type: [6, 4] },
      itemStyle: { color: ink.series[1] },
    },
  ];
}

function told(budget: Budget, points: Point[], zone: Zone, at: number | undefined): string {
  if (at === undefined) return "";
  const last = points.filter((point) => point.at <= at).at(-1);
  const end = Date.parse(budget.period.to);
  const lines = [`${show(at, zone)}  (${utc(at)})`];
  if (last) lines.push(`spent  ${format(last.spent)} ${budget.currency}`);
  const { forecast } = budget;
  if (forecast && at >= end) {
    lines.push(`forecast  ${format(parse(forecast.p50))}`);
    lines.push(`8 of 10  ${format(parse(forecast.p10))} to ${format(parse(forecast.p90))}`);
  }
  return lines.join("\n");
}
