/** Placements over time: by workload, or by machine with those that share one after the other. */
import type { Placement } from "../api/types.ts";
import { format, parse } from "../money/decimal.ts";
import type { Zone } from "../money/time.ts";
import { groupBy } from "../parts/group.ts";
import { categoryAxis, timeAxis, when } from "./axes.ts";
import { tooltipStyle } from "./series.ts";
import type { ChartSpec, Ink } from "./spec.ts";

export interface GanttSpec {
  key: string;
  rows: "workload" | "machine";
  currency: string;
  zone: Zone;
  picked(placement: Placement): void;
}

interface Lane {
  name: string;
  bars: { placement: Placement; from: number; to: number }[];
}

/** Lanes that are drawn; the table below has all placements. */
export const LANES = 60;
const LANE_PX = 22;
const RIGHT_PX = 12;
/** The narrowest bar, one that has its name on it, and the least room for a name. */
const MIN_PX = 3;
const NAME_PX = 40;
const LEAST_PX = 26;

export function gantt(placements: readonly Placement[], spec: GanttSpec): ChartSpec {
  const lanes = lanesOf(placements, spec.rows).slice(0, LANES);
  return {
    key: `gantt ${spec.key} ${spec.rows} ${spec.zone}`,
    height: lanes.length * LANE_PX + 58,
    label: `What runs where and when, by ${spec.rows}: ${placements.length} placements. The table has the same.`,
    option: (ink, width) => option(lanes, spec, ink, width),
    picked: ({ data }) => {
      const [lane = 0, bar = 0] = (data as { at: number[] }).at;
      const found = lanes[lane]?.bars[bar];
      if (found) spec.picked(found.placement);
    },
  };
}

/** Each machine gets as many lanes as it has placements at the same time. */
export function lanesOf(placements: readonly Placement[], rows: GanttSpec["rows"]): Lane[] {
  const bars = placements.map((placement) => ({
    placement,
    from: Date.parse(placement.start),
    to: Date.parse(placement.end),
  }));
  bars.sort((a, b) => a.from - b.from || b.to - a.to);
  const groups = groupBy(bars, ({ placement }) =>
    rows === "workload" ? placement.workload : (placement.offer ?? "quoted from outside"),
  );
  return [...groups].flatMap(([name, bars]) => {
    const lanes: Lane[] = [];
    for (const bar of bars) {
      const free = lanes.find((lane) => (lane.bars.at(-1)?.to ?? 0) <= bar.from);
      if (free) free.bars.push(bar);
      else lanes.push({ name: lanes.length === 0 ? name : "", bars: [bar] });
    }
    return lanes;
  });
}

/** `lambda/us-east-1/gpu_8x_h100_sxm5/on-demand` -> `gpu_8x_h100_sxm5 on-demand`. */
export function shortOffer(offer: string | null): string {
  if (offer === null) return "quoted from outside";
  return offer.split("/").slice(-2).join(" ");
}

function option(lanes: Lane[], spec: GanttSpec, ink: Ink, width: number): object {
  const bars = lanes.flatMap((lane, at) => lane.bars.map((bar, nth) => ({ ...bar, at, nth })));
  const from = Math.min(...bars.map((bar) => bar.from));
  const to = Math.max(...bars.map((bar) => bar.to));
  const names = lanes.map(({ name }) =>
    spec.rows === "machine" && name ? shortOffer(name) : name,
  );
  const left = width < 480 ? 104 : 190;
  const axis = { inverse: true, axisLabel: { ...truncated(ink, left - 14) } };
  return {
    grid: { left, right: RIGHT_PX, top: 26, bottom: 8 },
    xAxis: { ...timeAxis({ from, to, zone: spec.zone }, ink), position: "top" },
    yAxis: categoryAxis(
      names.map((name, at) => `${at}\u0000${name}`),
      ink,
      axis,
    ),
    tooltip: { ...tooltipStyle(ink), formatter: ({ data }: { data: Datum }) => told(data, spec) },
    series: [
      {
        type: "custom",
        clip: true,
        encode: { x: [1, 2], y: 0 },
        renderItem: (_: unknown, api: Api) => drawn(api, bars, width - RIGHT_PX, spec, ink),
        data: bars.map((bar) => ({
          value: [bar.at, bar.from, bar.to],
          at: [bar.at, bar.nth],
          placement: bar.placement,
        })),
      },
    ],
  };
}

function truncated(ink: Ink, width: number): object {
  return {
    color: ink.text,
    width,
    overflow: "truncate",
    interval: 0,
    formatter: (name: string) => name.slice(name.indexOf("\u0000") + 1),
  };
}

interface Datum {
  at: number[];
  placement: Placement;
}

interface Api {
  value(dimension: number): number;
  coord(point: [number, number]): [number, number];
}

type Bar = Lane["bars"][number] & { at: number; nth: number };

/** What stays is filled; what is new is an outline with a mark at its start. */
function drawn(api: Api, bars: Bar[], right: number, spec: GanttSpec, ink: Ink): object {
  const [lane, from, to] = [api.value(0), api.value(1), api.value(2)];
  const [x, y] = api.coord([from, lane]);
  const [end] = api.coord([to, lane]);
  const width = Math.max(MIN_PX, end - x);
  const nth = bars.findIndex((bar) => bar.at === lane && bar.from === from);
  const bar = bars[nth];
  // A name that has no room on its bar stands beside it, where nothing else is.
  const after = bars[nth + 1];
  const free_to = after?.at === lane ? api.coord([after.from, lane])[0] : right;
  const is_beside = width <= NAME_PX;
  const stays = bar?.placement.stays ?? true;
  const placed = bar?.placement;
  const name = spec.rows === "machine" ? placed?.workload : shortOffer(placed?.offer ?? null);
  const shape = { x, y: y - 8, width, height: 16, r: 2 };
  const color = (stays ? ink.ramp[1] : ink.series[1]) ?? ink.other;
  const style = stays ? { fill: color } : { fill: ink.card, stroke: color, lineWidth: 1.5 };
  const head = {
    points: [
      [x, y - 8],
      [x + 7, y],
      [x, y + 8],
    ],
  };
  const start = is_beside ? Math.max(x + width, x + (stays ? 0 : 7)) + 4 : x + (stays ? 5 : 11);
  const room = is_beside ? free_to - start - 4 : width - 14;
  const text = {
    text: room > LEAST_PX ? (name ?? "") : "",
    x: start,
    y,
    verticalAlign: "middle",
    fill: is_beside ? ink.soft : ink.text,
    width: room,
    overflow: "truncate",
    fontSize: 11,
  };
  return {
    type: "group",
    children: [
      { type: "rect", shape, style },
      ...(stays ? [] : [{ type: "polygon", shape: head, style: { fill: color } }]),
      { type: "text", style: text, silent: true },
    ],
  };
}

function told({ placement }: Datum, spec: GanttSpec): string {
  const members = placement.count * placement.nodes_each;
  return [
    `${placement.workload}  ${placement.stays ? "stays" : "new"}`,
    placement.offer ?? "quoted from outside",
    `${members} ${members === 1 ? "node" : "nodes"}`,
    when(Date.parse(placement.start), Date.parse(placement.end), spec.zone),
    `${format(parse(placement.cost))} ${spec.currency}`,
  ].join("\n");
}
