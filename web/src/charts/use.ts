/** Paid, allocated and used capacity of a resource over time. */
import type { Utilisation, UtilisationSpan } from "../api/types.ts";
import { fixed, UNKNOWN } from "../money/number.ts";
import { seconds, type Zone } from "../money/time.ts";
import { GRID, moneyAxis, timeAxis, when } from "./axes.ts";
import { axisTooltip, legend } from "./series.ts";
import type { ChartSpec, Ink } from "./spec.ts";

export type Resource = "gpu" | "cpu" | "memory";
const LEVELS = ["paid", "allocated", "used"] as const;

export const UNITS: Record<Resource, string> = { gpu: "GPUs", cpu: "cores", memory: "GiB" };

/** On average over the span: 12 GPU-hours of 6 hours are 2 GPUs. */
export function valueAt(
  span: UtilisationSpan,
  resource: Resource,
  level: (typeof LEVELS)[number],
): number | null {
  const hours = span[resource]?.[level];
  const length_h = seconds(span.window) / 3600;
  return hours === undefined || length_h <= 0 ? null : hours / length_h;
}

export function useOverTime(use: Utilisation, resource: Resource, zone: Zone): ChartSpec {
  const last = use.series.at(-1);
  const values = use.series.map((span) => valueAt(span, resource, "used"));
  return {
    key: `use ${resource} ${zone} ${last?.window.to} ${values.join()}`,
    height: 220,
    label: `${UNITS[resource]} paid, allocated and used over time.`,
    option: (ink) => option(use, resource, zone, ink),
  };
}

function option(use: Utilisation, resource: Resource, zone: Zone, ink: Ink): object {
  const spans = use.series.map(({ window }) => [Date.parse(window.from), Date.parse(window.to)]);
  const [from = 0] = spans[0] ?? [];
  const to = spans.at(-1)?.[1] ?? 1;
  const styles = {
    paid: { color: ink.soft, width: 1.5, type: "solid" },
    allocated: { color: ink.series[1], width: 2, type: [6, 3] },
    used: { color: ink.series[0], width: 2.5, type: "solid" },
  };
  return {
    grid: { ...GRID, top: 40 },
    legend: { ...legend(ink), icon: "", itemWidth: 26 },
    xAxis: timeAxis({ from, to, zone }, ink),
    yAxis: moneyAxis(ink, UNITS[resource]),
    tooltip: {
      ...axisTooltip(ink),
      formatter: (all: { dataIndex: number }[]) => told(use, resource, zone, all[0]?.dataIndex),
    },
    series: LEVELS.map((level) => ({
      type: "line",
      name: level,
      step: "end",
      symbol: "none",
      connectNulls: false,
      lineStyle: styles[level],
      itemStyle: { color: styles[level].color },
      ...(level === "used" ? { areaStyle: { color: ink.series[0], opacity: 0.12 } } : {}),
      data: [
        [from, valueAt(use.series[0] ?? { window: { from: "", to: "" } }, resource, level)],
        ...use.series.map((span, at) => [spans[at]?.[1], valueAt(span, resource, level)]),
      ],
    })),
  };
}

function told(use: Utilisation, resource: Resource, zone: Zone, index: number | undefined): string {
  const span = use.series[Math.max(0, (index ?? 0) - 1)];
  if (!span) return "";
  const line = (level: (typeof LEVELS)[number]) => {
    const value = valueAt(span, resource, level);
    return `${level}  ${value === null ? UNKNOWN : fixed(value)} ${UNITS[resource]}`;
  };
  const window = when(Date.parse(span.window.from), Date.parse(span.window.to), zone);
  return [window, ...LEVELS.map(line)].join("\n");
}
