/** Amounts side by side, one bar for each name. */
import { categoryAxis, moneyAxis } from "./axes.ts";
import { tooltipStyle } from "./series.ts";
import type { ChartSpec, Ink } from "./spec.ts";

export interface BarRow {
  name: string;
  value: number;
  /** What is said beside the bar. */
  text: string;
  /** More lines on hover. */
  more: string;
  kind: "ours" | "other" | "second";
}

export interface BarsSpec {
  key: string;
  label: string;
  currency: string;
  rows: BarRow[];
  /** A line across, as the proven least. */
  line?: { value: number; name: string };
  picked?(at: number): void;
}

const ROW_PX = 24;

export function bars(spec: BarsSpec): ChartSpec {
  const chart: ChartSpec = {
    key: `${spec.key} ${spec.rows.map((row) => `${row.name} ${row.value}`).join()} ${spec.line?.value}`,
    height: spec.rows.length * ROW_PX + 56,
    label: spec.label,
    option: (ink, width) => option(spec, ink, width),
  };
  const { picked } = spec;
  if (picked) chart.picked = ({ data }) => picked((data as { at: number }).at);
  return chart;
}

function option(spec: BarsSpec, ink: Ink, width: number): object {
  const left = width < 480 ? 120 : 260;
  const names = spec.rows.map((row, at) => `${at}\u0000${row.name}`);
  const axisLabel = {
    color: ink.text,
    width: left - 14,
    overflow: "truncate",
    interval: 0,
    formatter: (name: string) => name.slice(name.indexOf("\u0000") + 1),
  };
  const line = spec.line;
  const across = {
    symbol: "none",
    silent: true,
    lineStyle: { color: ink.good, width: 2, type: "solid" },
    label: { color: ink.text, formatter: line?.name ?? "", position: "start", fontSize: 11 },
    data: line ? [{ xAxis: line.value }] : [],
  };
  return {
    grid: { left, right: 84, top: line ? 24 : 8, bottom: 40 },
    xAxis: moneyAxis(ink, spec.currency, {
      nameLocation: "middle",
      nameGap: 24,
      splitNumber: width < 480 ? 2 : 4,
    }),
    yAxis: categoryAxis(names, ink, { inverse: true, axisLabel }),
    tooltip: {
      ...tooltipStyle(ink),
      formatter: ({ data }: { data: { at: number } }) => {
        const row = spec.rows[data.at];
        return row ? `${row.name}\n${row.more}` : "";
      },
    },
    series: [{ ...series(spec, ink), markLine: across }],
  };
}

function series(spec: BarsSpec, ink: Ink): object {
  const styles = {
    ours: { color: ink.series[0] },
    other: { color: ink.ramp[1] },
    second: { color: ink.card, borderColor: ink.series[0], borderWidth: 1.5 },
  };
  return {
    type: "bar",
    barWidth: 14,
    emphasis: { disabled: true },
    label: {
      show: true,
      position: "right",
      color: ink.text,
      backgroundColor: ink.card,
      padding: [1, 2],
      formatter: ({ data }: { data: { at: number } }) => spec.rows[data.at]?.text ?? "",
    },
    data: spec.rows.map((row, at) => ({ value: row.value, at, itemStyle: styles[row.kind] })),
  };
}
