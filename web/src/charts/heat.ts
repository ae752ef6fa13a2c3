/** Use over time as a heat map: node by node, or how many nodes are at which level. */
import type { NodeUse, Utilisation } from "../api/types.ts";
import { count, percent } from "../money/number.ts";
import { axis, type Zone } from "../money/time.ts";
import { derive } from "../parts/derive.ts";
import { when } from "./axes.ts";
import { tooltipStyle } from "./series.ts";
import type { ChartSpec, Ink } from "./spec.ts";

export type Row = NodeUse;

/** The least used first; those of which nothing is known last. */
export function rowsOf(use: Utilisation): Row[] {
  return derive(use, "rows", () =>
    [...use.nodes].sort((a, b) => (a.mean ?? 2) - (b.mean ?? 2) || (a.node < b.node ? -1 : 1)),
  );
}

/** Paid, and not known: that is another thing than not paid, and than 0. */
const isUnknown = (row: Row, x: number): boolean =>
  row.values[x] === null && (row.measured[x] ?? null) !== null;

export function heat(use: Utilisation, rows: readonly Row[], zone: Zone): ChartSpec {
  const cells = rows.flatMap((row, y) =>
    row.values.map((value, x): Cell => [x, y, isUnknown(row, x) ? "unknown" : value]),
  );
  const names = rows.map((row) => row.node);
  return grid(use, zone, {
    key: `heat ${zone} ${use.series[0]?.window.from} ${names.join()} ${rows[0]?.values.join()}`,
    label: `GPU use of ${rows.length} nodes over time; the table has each node's mean.`,
    names,
    cells,
    most: 1,
    text: (value) => String(Math.round(value * 100)),
    told: (x, y, value) => {
      const text = typeof value === "number" ? percent(value) : WORDS[value ?? "empty"];
      const part = rows[y]?.measured[x] ?? 1;
      const measured = part < 1 && value !== null ? `\n${percent(part, 0)} of it was measured` : "";
      return `${names[y]}\n${windowText(use, x, zone)}\n${text}${measured}`;
    },
  });
}

const WORDS = { unknown: "unknown: too little of it was measured", empty: "not paid then" };

const BUCKETS = 10;

/** For fleets that are too large to read row by row. */
export function density(use: Utilisation, zone: Zone): ChartSpec {
  const counts = derive(use, "density", () => countsOf(use));
  const top = counts.length - 1;
  const names = counts.map((_, at) => (at < BUCKETS ? level(at) : "unknown")).reverse();
  const cells = counts.flatMap((row, y) => row.map((value, x): Cell => [x, top - y, value]));
  const most = counts.flat().reduce((most, one) => Math.max(most, one), 1);
  return grid(use, zone, {
    key: `density ${zone} ${use.series[0]?.window.from} ${counts.map((row) => row.join()).join()}`,
    label: `How many of ${use.nodes.length} nodes use their GPUs how much, over time.`,
    names,
    cells,
    most,
    text: (value) => (value === 0 ? "" : count(value)),
    told: (x, y, value) =>
      `${names[y]}\n${windowText(use, x, zone)}\n${count(Number(value))} of ${count(use.nodes.length)} nodes`,
  });
}

const level = (at: number): string => `${at * 10} to ${(at + 1) * 10} %`;

/**
 * Row 0 counts those under 10 %, and so on; a last row, if there are any, those that are unknown. A
 * node that was not paid is in none.
 */
export function countsOf(use: Utilisation): number[][] {
  const counts = Array.from({ length: BUCKETS + 1 }, () => use.series.map(() => 0));
  for (const node of use.nodes) {
    node.values.forEach((value, x) => {
      const unknown = isUnknown(node, x);
      if (value === null && !unknown) return;
      const at = unknown ? BUCKETS : Math.min(BUCKETS - 1, Math.floor((value ?? 0) * BUCKETS));
      const row = counts[at];
      if (row) row[x] = (row[x] ?? 0) + 1;
    });
  }
  return counts[BUCKETS]?.some((one) => one > 0) ? counts : counts.slice(0, BUCKETS);
}

function windowText(use: Utilisation, x: number, zone: Zone): string {
  const window = use.series[x]?.window;
  return window ? when(Date.parse(window.from), Date.parse(window.to), zone) : "";
}

/** Column, row, and a value; `null` where there is nothing to be known. */
type Cell = readonly [x: number, y: number, value: number | "unknown" | null];

interface Grid {
  key: string;
  label: string;
  names: string[];
  cells: Cell[];
  most: number;
  text(value: number): string;
  told(...cell: Cell): string;
}

const ROW_PX = 20;

function grid(use: Utilisation, zone: Zone, spec: Grid): ChartSpec {
  return {
    key: spec.key,
    height: spec.names.length * ROW_PX + 60,
    label: spec.label,
    option: (ink, width) => option(use, zone, spec, { ink, width }),
  };
}

interface Place {
  ink: Ink;
  width: number;
}

function option(use: Utilisation, zone: Zone, spec: Grid, { ink, width }: Place): object {
  const left = width < 480 ? 92 : 150;
  const cell = (width - left - 12) / Math.max(1, use.series.length);
  const axisStyle = { axisTick: { show: false }, axisLine: { show: false } };
  const label = { color: ink.soft, hideOverlap: true };
  return {
    grid: { left, right: 12, top: 8, bottom: 52 },
    tooltip: {
      ...tooltipStyle(ink),
      formatter: ({ data }: { data: { at: Cell } }) => spec.told(...data.at),
    },
    xAxis: {
      type: "category",
      data: use.series.map(({ window }) => labelOf(use, window.from, zone)),
      ...axisStyle,
      axisLabel: label,
    },
    yAxis: {
      type: "category",
      inverse: true,
      data: spec.names.map((name, at) => `${at}\u0000${name}`),
      ...axisStyle,
      axisLabel: {
        color: ink.text,
        width: left - 12,
        overflow: "truncate",
        interval: 0,
        formatter: (name: string) => name.slice(name.indexOf("\u0000") + 1),
      },
    },
    visualMap: scale(spec, ink),
    series: [{ type: "heatmap", data: data(spec, ink, cell), itemStyle: border(ink) }],
  };
}

const border = (ink: Ink): object => ({ borderColor: ink.card, borderWidth: 1 });

function labelOf(use: Utilisation, at: string, zone: Zone): string {
  const from = use.series[0]?.window.from ?? at;
  const to = use.series.at(-1)?.window.to ?? at;
  return axis(Date.parse(at), (Date.parse(to) - Date.parse(from)) / 1000, zone);
}

function scale(spec: Grid, ink: Ink): object {
  return {
    type: "continuous",
    min: 0,
    max: spec.most,
    dimension: 2,
    orient: "horizontal",
    left: "center",
    bottom: 0,
    itemWidth: 10,
    itemHeight: 120,
    calculable: false,
    inRange: { color: ink.ramp },
    textStyle: { color: ink.soft },
    text: spec.most === 1 ? ["100 %", "0 %"] : [`${spec.most} nodes`, "0"],
  };
}

/**
 * Figures stand in the cells where there is room. Where nothing was paid the cell is empty, and
 * hatched where nobody knows: neither must look like little use.
 */
function data(spec: Grid, ink: Ink, cell_px: number): object[] {
  const room = cell_px >= 22;
  return spec.cells.map(([x, y, value]) => {
    if (value === null || value === "unknown") {
      const decal = value === null ? {} : { decal: hatch(ink) };
      const itemStyle = { color: ink.empty, borderColor: ink.line, borderWidth: 0.5, ...decal };
      return { value: [x, y, 0], at: [x, y, value], visualMap: false, itemStyle };
    }
    const dark = value / spec.most > 0.65;
    const color = dark ? ink.onRamp : ink.text;
    const label = { show: room, formatter: spec.text(value), color, fontSize: 10 };
    return { value: [x, y, value], at: [x, y, value], label };
  });
}

/** Lines across a cell: what is unknown, in words of pattern and not of colour. */
function hatch(ink: Ink): object {
  const lines = { dashArrayX: [1, 0], dashArrayY: [1.2, 4], rotation: Math.PI / 4 };
  return { symbol: "rect", color: ink.soft, ...lines };
}
