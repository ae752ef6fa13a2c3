/** Axes and tooltips that read alike in every chart. */
import { axis, show, utc, type Zone } from "../money/time.ts";
import { fixed } from "../money/number.ts";
import type { Ink } from "./spec.ts";

export interface Span {
  from: number;
  to: number;
  zone: Zone;
}

export function timeAxis(span: Span, ink: Ink): object {
  const span_s = (span.to - span.from) / 1000;
  return {
    type: "time",
    min: span.from,
    max: span.to,
    splitNumber: 5,
    axisLine: { lineStyle: { color: ink.line } },
    axisTick: { lineStyle: { color: ink.line } },
    splitLine: { show: false },
    axisLabel: {
      color: ink.soft,
      hideOverlap: true,
      formatter: (at: number) => axis(at, span_s, span.zone),
    },
  };
}

/** Money on an axis: as many digits as the step between two marks needs, and no more. */
export function moneyAxis(ink: Ink, currency: string, more: object = {}): object {
  return {
    type: "value",
    name: currency,
    nameLocation: "end",
    nameTextStyle: { color: ink.soft, align: "right", padding: [0, 6, 0, 0] },
    axisLine: { show: false },
    axisTick: { show: false },
    splitNumber: 4,
    splitLine: { lineStyle: { color: ink.line } },
    axisLabel: { color: ink.soft, formatter: mark },
    ...more,
  };
}

export function categoryAxis(names: readonly string[], ink: Ink, more: object = {}): object {
  return {
    type: "category",
    data: names,
    axisLine: { lineStyle: { color: ink.line } },
    axisTick: { show: false },
    axisLabel: { color: ink.soft, width: 150, overflow: "truncate" },
    ...more,
  };
}

/** `0`, `0.25`, `12`, `1.2 k`, `3 M`. */
export function mark(value: number): string {
  const size = Math.abs(value);
  const short = (by: number, unit: string) => `${Number((value / by).toPrecision(3))} ${unit}`;
  if (size >= 1e6) return short(1e6, "M");
  if (size >= 1e4) return short(1e3, "k");
  if (size >= 1000) return fixed(value, 0);
  return String(Number(value.toPrecision(3)));
}

/** The head of a tooltip: the viewer's time, and UTC. */
export function when(from: number, to: number, zone: Zone): string {
  const local = `${show(from, zone)} to ${show(to, zone)}`;
  return zone === "utc" ? `${local} UTC` : `${local}\n${utc(from)}`;
}

export const GRID = { left: 56, right: 16, top: 28, bottom: 28 };

/** Patterns over the colours of series, faint: a second sign beside the colour. */
export function decals(ink: Ink): object[] {
  const color = ink.decal;
  const lines = (rotation: number, gap: number, width = 1.2) => ({
    symbol: "rect",
    color,
    dashArrayX: [1, 0],
    dashArrayY: [width, gap],
    rotation,
  });
  const dots = (gap: number) => ({
    symbol: "circle",
    color,
    symbolSize: 0.5,
    dashArrayX: [
      [gap, gap],
      [0, gap, gap, 0],
    ],
    dashArrayY: [gap, 0],
  });
  return [
    { symbol: "none" },
    lines(Math.PI / 4, 6),
    dots(7),
    lines(0, 6),
    lines(-Math.PI / 4, 6),
    lines(Math.PI / 2, 6),
    dots(4),
    lines(Math.PI / 4, 3),
  ];
}
