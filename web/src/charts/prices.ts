/** What an hour of a node cost over time, a line for each offer; a gap where nobody paid for it. */
import type { PriceSeries } from "../api/past-types.ts";
import { format, parse, toNumber } from "../money/decimal.ts";
import { show, type Zone } from "../money/time.ts";
import { GRID, moneyAxis, timeAxis } from "./axes.ts";
import { axisTooltip, legend, legendHeight } from "./series.ts";
import type { ChartSpec, Ink } from "./spec.ts";

const DASHES = ["solid", [7, 3], [2, 3], [9, 3, 2, 3], [4, 2], [1, 2], [12, 4]];

export function nameOf(series: PriceSeries): string {
  return `${series.instance_type} ${series.zone ?? series.region} ${series.purchase}`;
}

export function pricesOverTime(all: readonly PriceSeries[], zone: Zone): ChartSpec {
  const points = all.map((one) => one.points.map(({ price, window }) => `${price} ${window.to}`));
  return {
    key: `prices ${zone} ${all.map(({ offer }) => offer).join()} ${points.join()}`,
    height: 280,
    label: `Price per hour of ${all.length} offers over time. The table and its CSV have the same.`,
    option: (ink, width) => option(all, zone, ink, width),
  };
}

function option(all: readonly PriceSeries[], zone: Zone, ink: Ink, width: number): object {
  const times = all.flatMap(({ points }) =>
    points.flatMap(({ window }) => [Date.parse(window.from), Date.parse(window.to)]),
  );
  const from = Math.min(...times);
  const to = Math.max(...times);
  const names = all.map(nameOf);
  return {
    grid: { ...GRID, top: 28 + legendHeight(names, width) },
    legend: { ...legend(ink), icon: "", itemWidth: 28, itemHeight: 2 },
    xAxis: timeAxis({ from, to, zone }, ink),
    yAxis: moneyAxis(ink, `${all[0]?.currency ?? ""} per hour`, { scale: true }),
    tooltip: {
      ...axisTooltip(ink),
      formatter: (shown: { axisValue: number }[]) => told(all, zone, shown[0]?.axisValue),
    },
    series: all.map((series, at) => ({
      type: "line",
      name: names[at],
      symbol: "none",
      connectNulls: false,
      lineStyle: { color: ink.series[at % 7], width: 2, type: DASHES[at % 7] },
      itemStyle: { color: ink.series[at % 7] },
      // A price holds from the start of its window to the end; then nothing is known.
      data: series.points.flatMap(({ window, price }) => {
        const value = toNumber(parse(price));
        const end = Date.parse(window.to);
        return [
          [Date.parse(window.from), value],
          [end, value],
          [end, null],
        ];
      }),
    })),
  };
}

function told(all: readonly PriceSeries[], zone: Zone, at: number | undefined): string {
  if (at === undefined) return "";
  const lines = all.flatMap((series) => {
    const point = series.points.find(
      ({ window }) => Date.parse(window.from) <= at && at <= Date.parse(window.to),
    );
    if (!point) return [];
    const price = `${format(parse(point.price), 4)} ${series.currency}`;
    return [`${nameOf(series)}  ${price}, ${point.kind} of ${point.as_of}`];
  });
  return [show(at, zone), ...(lines.length > 0 ? lines : ["nobody paid for one"])].join("\n");
}
