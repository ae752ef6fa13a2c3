/** Predicted and realised saving, added up over time. */
import type { Verified } from "../api/records.ts";
import { format, parse, type Pico, sum, toNumber } from "../money/decimal.ts";
import { show, utc, type Zone } from "../money/time.ts";
import { GRID, moneyAxis, timeAxis } from "./axes.ts";
import { axisTooltip, legend } from "./series.ts";
import type { ChartSpec, Ink } from "./spec.ts";

export interface Point {
  at: number;
  step: string;
  predicted: Pico;
  realised: Pico;
}

/** What all steps come to. */
export interface Totals {
  predicted: Pico;
  realised: Pico;
}

/**
 * Sums as steps ended, up to those of all; what was undone is not in them. Of steps before those
 * that are given it is known what they came to, and not when.
 */
export function sumsOf(items: readonly Verified[], totals: Totals | null): Point[] {
  const counted = items.filter((item) => !item.undone);
  const ordered = [...counted].sort((a, b) => Date.parse(a.to) - Date.parse(b.to));
  const before = (name: keyof Totals) =>
    totals === null ? 0n : totals[name] - sum(counted.map((item) => parse(item[name])));
  let predicted = before("predicted");
  let realised = before("realised");
  return ordered.map((item) => {
    predicted += parse(item.predicted);
    realised += parse(item.realised);
    return { at: Date.parse(item.to), step: item.step, predicted, realised };
  });
}

export function savingsOverTime(points: Point[], currency: string, zone: Zone): ChartSpec {
  const last = points.at(-1);
  const said = last ? `${format(last.predicted)} predicted, ${format(last.realised)} realised` : "";
  return {
    key: `savings ${zone} ${points.length} ${last?.at} ${last?.predicted} ${last?.realised}`,
    height: 240,
    label: `Savings in ${currency}, added up over time: ${said}.`,
    option: (ink) => option(points, currency, zone, ink),
  };
}

function option(points: Point[], currency: string, zone: Zone, ink: Ink): object {
  const from = points[0]?.at ?? 0;
  const to = points.at(-1)?.at ?? 1;
  const line = (name: "predicted" | "realised", style: object, color: string | undefined) => ({
    type: "line",
    name,
    step: "end",
    symbol: points.length === 1 ? "circle" : "none",
    lineStyle: { color, ...style },
    itemStyle: { color },
    data: points.map((point) => [point.at, toNumber(point[name])]),
  });
  return {
    grid: { ...GRID, top: 40 },
    legend: { ...legend(ink), icon: "", itemWidth: 28 },
    xAxis: timeAxis({ from, to: Math.max(to, from + 3_600_000), zone }, ink),
    yAxis: moneyAxis(ink, currency),
    tooltip: {
      ...axisTooltip(ink),
      formatter: (all: { dataIndex: number }[]) => told(points[all[0]?.dataIndex ?? -1], zone),
    },
    series: [
      // Where the two are the same, the one that was promised is seen on the other.
      line("realised", { width: 5 }, ink.series[0]),
      line("predicted", { width: 2, type: [6, 6] }, ink.series[1]),
    ],
  };
}

function told(point: Point | undefined, zone: Zone): string {
  if (!point) return "";
  return [
    `${show(point.at, zone)}  (${utc(point.at)})`,
    `with ${point.step}`,
    `predicted  ${format(point.predicted)}`,
    `realised  ${format(point.realised)}`,
  ].join("\n");
}
