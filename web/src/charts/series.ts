/** Money over time, stacked: by place, or by the largest rows with what is left over. */
import type { CostSpan } from "../api/types.ts";
import { format, parse, plain, type Pico, toNumber } from "../money/decimal.ts";
import type { Zone } from "../money/time.ts";
import { PLACES } from "../parts/places.ts";
import type { Sheet } from "../parts/files.ts";
import { decals, GRID, moneyAxis, timeAxis, when } from "./axes.ts";
import type { ChartSpec, Ink, Picked } from "./spec.ts";

export interface SeriesSpec {
  key: string;
  currency: string;
  zone: Zone;
  height: number;
  picked?(params: Picked): void;
}

interface Layer {
  name: string;
  amounts: Pico[];
  color(ink: Ink): string;
  decal(ink: Ink): object;
}

const NO_DECAL = { symbol: "none" };

export function seriesOfPlaces(spans: readonly CostSpan[], spec: SeriesSpec): ChartSpec {
  const pattern: Record<string, number> = { idle: 1, unallocated: 2, overhead: 3 };
  const layers = PLACES.map((place) => ({
    name: place,
    amounts: spans.map((span) => parse(span[place])),
    color: (ink: Ink) => ink.places[place] ?? ink.other,
    decal: (ink: Ink) => decals(ink)[pattern[place] ?? 0] ?? NO_DECAL,
  }));
  return stacked(spans, layers, spec);
}

/** `names` are the rows that get a layer of their own; the rest of what is paid is `other`. */
export function seriesOfRows(
  spans: readonly CostSpan[],
  names: readonly string[],
  nameOf: (row: CostSpan["rows"][number]) => string,
  spec: SeriesSpec,
): ChartSpec {
  const rows = rowsByName(spans, names, nameOf);
  const layers = [...names, ...(rows.other.some((amount) => amount !== 0n) ? ["other"] : [])].map(
    (name, at) => ({
      name,
      amounts: at < names.length ? (rows.named.get(name) ?? []) : rows.other,
      color: (ink: Ink) => (at < names.length ? ink.series[at % 7] : undefined) ?? ink.other,
      decal: (ink: Ink) => decals(ink)[at % 8] ?? NO_DECAL,
    }),
  );
  return stacked(spans, layers, spec);
}

export function rowsByName(
  spans: readonly CostSpan[],
  names: readonly string[],
  nameOf: (row: CostSpan["rows"][number]) => string,
): { named: Map<string, Pico[]>; other: Pico[] } {
  const named = new Map(names.map((name) => [name, spans.map(() => 0n)]));
  const other = spans.map(() => 0n);
  spans.forEach((span, at) => {
    for (const row of span.rows) {
      const amounts = named.get(nameOf(row)) ?? other;
      amounts[at] = (amounts[at] ?? 0n) + parse(row.total);
    }
  });
  return { named, other };
}

export function sheetOfPlaces(spans: readonly CostSpan[]): Sheet {
  return {
    head: ["from", "to", ...PLACES, "paid"],
    rows: spans.map((span) => [
      span.window.from,
      span.window.to,
      ...PLACES.map((place) => span[place]),
      span.paid,
    ]),
  };
}

export function sheetOfRows(
  spans: readonly CostSpan[],
  names: readonly string[],
  nameOf: (row: CostSpan["rows"][number]) => string,
): Sheet {
  const rows = rowsByName(spans, names, nameOf);
  return {
    head: ["from", "to", ...names, "other", "paid"],
    rows: spans.map((span, at) => [
      span.window.from,
      span.window.to,
      ...names.map((name) => plain(rows.named.get(name)?.[at] ?? 0n)),
      plain(rows.other[at] ?? 0n),
      span.paid,
    ]),
  };
}

function stacked(spans: readonly CostSpan[], layers: Layer[], spec: SeriesSpec): ChartSpec {
  const edges = spans.map(
    ({ window }) => [Date.parse(window.from), Date.parse(window.to)] as const,
  );
  const paid = spans.map((span) => span.paid).join();
  const chart: ChartSpec = {
    key: `${spec.key} ${spec.zone} ${edges[0]?.[0]} ${layers.map(({ name }) => name).join()} ${paid}`,
    height: spec.height,
    label: `${spec.currency} over time, stacked: ${layers.map(({ name }) => name).join(", ")}. The same figures are in its CSV.`,
    option: (ink, width) => option({ edges, layers, spec }, ink, width),
  };
  if (spec.picked) chart.picked = spec.picked;
  return chart;
}

interface Drawing {
  edges: (readonly [number, number])[];
  layers: Layer[];
  spec: SeriesSpec;
}

function option({ edges, layers, spec }: Drawing, ink: Ink, width: number): object {
  const from = edges[0]?.[0] ?? 0;
  const to = edges.at(-1)?.[1] ?? 1;
  const middle = (at: number) => ((edges[at]?.[0] ?? 0) + (edges[at]?.[1] ?? 0)) / 2;
  return {
    grid: {
      ...GRID,
      top:
        18 +
        legendHeight(
          layers.map(({ name }) => name),
          width,
        ),
    },
    aria: { enabled: false, decal: { show: true } },
    legend: legend(ink),
    xAxis: timeAxis({ from, to, zone: spec.zone }, ink),
    yAxis: moneyAxis(ink, spec.currency),
    tooltip: {
      ...axisTooltip(ink),
      axisPointer: { type: "shadow", shadowStyle: { color: ink.line, opacity: 0.35 } },
      formatter: (all: { dataIndex: number }[]) => told({ edges, layers, spec }, all[0]?.dataIndex),
    },
    series: layers.map((layer) => ({
      type: "bar",
      stack: "all",
      name: layer.name,
      barWidth: "86%",
      large: false,
      itemStyle: { color: layer.color(ink), decal: layer.decal(ink) },
      emphasis: { disabled: true },
      data: layer.amounts.map((amount, at) => [middle(at), toNumber(amount)]),
    })),
  };
}

function told({ edges, layers, spec }: Drawing, at: number | undefined): string {
  if (at === undefined) return "";
  const [from, to] = edges[at] ?? [0, 0];
  const total = layers.reduce((sum, layer) => sum + (layer.amounts[at] ?? 0n), 0n);
  const line = (name: string, amount: Pico) => `${name}  ${format(amount)}`;
  const lines = layers
    .filter((layer) => (layer.amounts[at] ?? 0n) !== 0n)
    .map((layer) => line(layer.name, layer.amounts[at] ?? 0n));
  return [when(from, to, spec.zone), ...lines, `${line("paid", total)} ${spec.currency}`].join(
    "\n",
  );
}

/** Beside the pointer, on the side with more room, and never over the edge. */
function beside(
  [x = 0]: number[],
  _params: unknown,
  _element: unknown,
  _rect: unknown,
  size: { viewSize: number[]; contentSize: number[] },
): [number, number] {
  const [width = 0, height = 0] = size.viewSize;
  const [wide = 0, high = 0] = size.contentSize;
  const left = x > width / 2 ? x - wide - 16 : x + 16;
  return [Math.max(0, left), Math.max(0, (height - high) / 2)];
}

/** A tooltip of all that a moment has. */
export function axisTooltip(ink: Ink): object {
  return { ...tooltipStyle(ink), trigger: "axis", position: beside };
}

export function tooltipStyle(ink: Ink): object {
  return {
    renderMode: "richText",
    confine: true,
    backgroundColor: ink.card,
    borderColor: ink.line,
    textStyle: { color: ink.text, fontSize: 12, fontFamily: ink.font, lineHeight: 17 },
  };
}

/** How high a legend gets in a chart of `width`: a letter takes 6.6 px, a sign and gap 36. */
export function legendHeight(names: readonly string[], width: number): number {
  const wide = names.reduce((sum, name) => sum + name.length * 6.6 + 36, 0);
  return Math.ceil(wide / Math.max(120, width - 64)) * 20;
}

export function legend(ink: Ink): object {
  return {
    top: 0,
    left: 48,
    right: 0,
    type: "plain",
    itemWidth: 14,
    itemHeight: 10,
    itemGap: 14,
    icon: "rect",
    textStyle: { color: ink.text, fontSize: 12 },
    selectedMode: false,
  };
}
