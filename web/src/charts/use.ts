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

/** On average over the span, as far as it is past: 12 GPU-hours of 6 hours are 2 GPUs. */
export function valueAt(
  span: UtilisationSpan,
  resource: Resource,
  level: (typeof LEVELS)[number],
  until: number,
): number | null {
  const hours = span[resource]?.[level];
  const past = Math.max(0, Date.parse(span.window.to) - until) / 1000;
  const length_h = (seconds(span.window) - past) / 3600;
  return hours === undefined || length_h <= 0 ? null : hours / length_h;
}

export interface UseSpec {
  resource: Resource;
  zone: Zone;
  /** Up to when there are figures: the last span may not be over. */
  until: number;
}

export function useOverTime(use: Utilisation, spec: UseSpec): ChartSpec {
  const { resource, zone, until } = spec;
  const last = use.series.at(-1);
  const values = use.series.map((span) => valueAt(span, resource, "used", until));
  return {
    key: `use ${resource} ${zone} ${last?.window.to} ${values.join()}`,
    height: 220,
    label: `${UNITS[resource]} paid, allocated and used over time.`,
    option: (ink) => option(use, spec, ink),
  };
}

function option(use: Utilisation, spec: UseSpec, ink: Ink): object {
  const { resource, zone, until } = spec;
  const spans = use.series.map(({ window }) => [Date.parse(window.from), Date.parse(window.to)]);
  const [from = 0] = spans[0] ?? [];
  const to = Math.min(spans.at(-1)?.[1] ?? 1, until);
  const last = use.series.at(-1);
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
      formatter: (all: { dataIndex: number }[]) => told(use, spec, all[0]?.dataIndex),
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
      // A value holds from the start of its span; the last one to its end.
      data: [
        ...use.series.map((span, at) => [spans[at]?.[0], valueAt(span, resource, level, until)]),
        [to, last ? valueAt(last, resource, level, until) : null],
      ],
    })),
  };
}

function told(use: Utilisation, spec: UseSpec, index: number | undefined): string {
  const { resource, zone, until } = spec;
  const span = use.series[Math.min(index ?? 0, use.series.length - 1)];
  if (!span) return "";
  const line = (level: (typeof LEVELS)[number]) => {
    const value = valueAt(span, resource, level, until);
    return `${level}  ${value === null ? UNKNOWN : fixed(value)} ${UNITS[resource]}`;
  };
  const window = when(Date.parse(span.window.from), Date.parse(span.window.to), zone);
  return [window, ...LEVELS.map(line)].join("\n");
}
