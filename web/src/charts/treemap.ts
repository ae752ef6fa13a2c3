/** What is paid as areas: one for each row, inside that of its first key. */
import type { Cost, CostRow } from "../api/types.ts";
import { compare, format, parse, type Pico, ratio, sum, toNumber } from "../money/decimal.ts";
import { percent } from "../money/number.ts";
import { derive } from "../parts/derive.ts";
import { groupBy } from "../parts/group.ts";
import { decals } from "./axes.ts";
import { tooltipStyle } from "./series.ts";
import type { ChartSpec, Ink } from "./spec.ts";

/** Areas beyond these are put together: smaller ones could not be read. */
const AREAS = 120;

interface Area {
  name: string;
  full: string;
  amount: Pico;
  row: CostRow | null;
  children: Area[];
}

export function treemap(
  cost: Cost,
  nameOf: (row: CostRow) => string,
  picked: (row: CostRow) => void,
): ChartSpec {
  const areas = derive(cost, "areas", () => group(cost, nameOf));
  const all = areas.flatMap((area) => [area, ...area.children]);
  const largest = areas[0] ? `The largest is ${areas[0].name}.` : "";
  const by = cost.by.join(" and ");
  return {
    key: `treemap ${by} ${cost.window.to} ${cost.rows.map((row) => row.total).join()}`,
    height: 280,
    label: `${cost.currency} by ${by}, as areas. ${largest} The table has the same.`,
    option: (ink) => option(cost, areas, all, ink),
    picked: ({ data }) => {
      const row = all[(data as Drawn).at]?.row;
      if (row) picked(row);
    },
  };
}

function group(cost: Cost, nameOf: (row: CostRow) => string): Area[] {
  const [first = "", second] = cost.by;
  const rows = [...cost.rows].sort((a, b) => compare(parse(b.total), parse(a.total)));
  const leaf = (row: CostRow): Area => ({
    name: String(row[second ?? first] ?? ""),
    full: nameOf(row),
    amount: parse(row.total),
    row,
    children: [],
  });
  const shown = rows.slice(0, AREAS).filter((row) => parse(row.total) > 0n);
  const rest = rows.slice(AREAS);
  const name = `${rest.length} smaller ones`;
  const amount = sum(rest.map((row) => parse(row.total)));
  const other = amount > 0n ? [{ name, full: name, amount, row: null, children: [] }] : [];
  if (second === undefined) return [...shown.map(leaf), ...other];
  const groups = groupBy(shown, (row) => String(row[first] ?? ""));
  const whole = [...groups].map(([name, rows]) => {
    const children = rows.map(leaf);
    const amount = sum(children.map((child) => child.amount));
    return { name, full: name, amount, row: null, children };
  });
  return [...whole.sort((a, b) => compare(b.amount, a.amount)), ...other];
}

/** The part of the whole below which a name would be cut to a letter. */
const NAMED = 0.012;

/** Areas that are too small for a name on them, the largest first. */
export function unnamed(cost: Cost): { name: string; amount: Pico }[] {
  const whole = parse(cost.paid);
  const rows = cost.rows.map((row) => {
    const name = cost.by.map((key) => String(row[key] ?? "")).join(", ");
    return { name, amount: parse(row.total) };
  });
  return rows
    .filter(({ amount }) => amount > 0n && (ratio(amount, whole) ?? 0) < NAMED)
    .sort((a, b) => compare(b.amount, a.amount));
}

/** What ECharts gets: numbers to draw, and the place in `all` of what they stand for. */
interface Drawn {
  at: number;
  name: string;
  value: number;
}

function option(cost: Cost, areas: Area[], all: Area[], ink: Ink): object {
  const nested = areas.some((area) => area.children.length > 0);
  const whole = parse(cost.paid);
  const drawn = (area: Area, style: object): object => ({
    at: all.indexOf(area),
    name: area.name,
    value: toNumber(area.amount),
    itemStyle: style,
    // A word that would be cut to a letter says nothing.
    ...((ratio(area.amount, whole) ?? 0) < NAMED ? { label: { show: false } } : {}),
    ...(area.children.length > 0
      ? { children: area.children.map((child) => drawn(child, style)) }
      : {}),
  });
  const data = areas.map((area, at) =>
    drawn(area, {
      color: (at < 7 ? ink.series[at] : undefined) ?? ink.other,
      decal: decals(ink)[Math.min(at, 7)],
    }),
  );
  const series = {
    type: "treemap",
    data,
    top: 0,
    left: 0,
    right: 0,
    bottom: 0,
    roam: false,
    nodeClick: false,
    breadcrumb: { show: false },
    label: label(all, ink),
    upperLabel: {
      show: nested,
      height: 22,
      color: ink.text,
      fontSize: 12,
      backgroundColor: ink.card,
      padding: [0, 4],
      formatter: ({ data }: { data: Drawn }) => {
        const area = all[data.at];
        return area ? `${area.name}  ${format(area.amount)}` : "";
      },
    },
    itemStyle: { borderColor: ink.card, borderWidth: 1, gapWidth: 1 },
    levels: [{}, { itemStyle: { gapWidth: 1, borderWidth: nested ? 2 : 1 } }],
  };
  return { tooltip: tooltip(cost, all, ink), series: [series] };
}

function tooltip(cost: Cost, all: Area[], ink: Ink): object {
  const whole = parse(cost.paid);
  return {
    ...tooltipStyle(ink),
    formatter: ({ data }: { data?: Drawn }) => {
      const area = data && all[data.at];
      if (!area) return "";
      const share = percent(ratio(area.amount, whole));
      return `${area.full}\n${format(area.amount)} ${cost.currency}  ${share}`;
    },
  };
}

/** Words stand on a plate, so that they are read on any colour and pattern. */
function label(all: Area[], ink: Ink): object {
  const plate = {
    color: ink.text,
    backgroundColor: ink.card,
    borderRadius: 3,
    padding: [3, 5],
    fontSize: 12,
  };
  return {
    show: true,
    position: [5, 5],
    rich: { plate },
    overflow: "truncate",
    formatter: ({ data }: { data: Drawn }) => {
      const area = all[data.at];
      if (!area) return "";
      // A closing brace would end the plate.
      return `{plate|${area.name.replaceAll("}", "\uff5d")}  ${format(area.amount)}}`;
    },
  };
}
