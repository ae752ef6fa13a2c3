/** Cost: the statement of a window, cut by whom and where, as an area, over time, and in rows. */
import { html, nothing, type TemplateResult } from "lit-html";
import { path } from "../api/client.ts";
import type { Cost, CostRow } from "../api/types.ts";
import type { App } from "../app.ts";
import { seriesOfPlaces, seriesOfRows, sheetOfPlaces, sheetOfRows } from "../charts/series.ts";
import { spansOf } from "../charts/spans.ts";
import { treemap, unnamed } from "../charts/treemap.ts";
import { compare, format, parse, plain } from "../money/decimal.ts";
import { fixed, percent, plural } from "../money/number.ts";
import { anomalies } from "../parts/anomalies.ts";
import { type Choice, chosen, field, select, stepOf, WINDOW } from "../parts/controls.ts";
import { derive } from "../parts/derive.ts";
import { figure } from "../parts/figure.ts";
import { amountsOf, placesBar, placesTable, PLACES } from "../parts/places.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { money, time, unknown } from "../parts/text.ts";
import { changed } from "../router.ts";
import { explanation } from "./explain.ts";

const BY: Choice = {
  name: "by",
  label: "By",
  first: "team",
  clears: ["rows.page", "explain"],
  values: [
    ["team", "team"],
    ["team,workload", "team and workload"],
    ["workload", "workload"],
    ["node", "node"],
    ["resource", "resource"],
    ["team,resource", "team and resource"],
    ["offer", "offer"],
    ["region", "region"],
    ["user", "user"],
    ["namespace", "namespace"],
  ],
};

const IDLE: Choice = {
  name: "share_idle",
  label: "What nobody has",
  first: "separate",
  values: [
    ["separate", "on its own"],
    ["proportional", "shared by cost"],
    ["even", "shared evenly"],
  ],
};

const STACK: Choice = {
  name: "stack",
  label: "Over time by",
  first: "rows",
  values: [
    ["rows", "row"],
    ["places", "place"],
  ],
};

/** Rows that get a colour of their own over time. */
const LAYERS = 7;

interface Query {
  window: string;
  by: string;
  filter: string | null;
  share_idle: string | null;
  [name: string]: string | null;
}

export function cost(app: App): TemplateResult {
  const window = chosen(app, WINDOW);
  const by = chosen(app, BY);
  const filter = app.route.query.get("filter");
  const share_idle = app.route.query.get("share_idle");
  const query: Query = { window, by, filter, share_idle };
  const found = app.read<Cost>(path("/cost", query), 10_000);
  return html`<h1 id="title" tabindex="-1">Cost</h1>
    <div class="controls">
      ${select(app, WINDOW)} ${select(app, BY)} ${select(app, IDLE)}
      ${field(app, "filter", "Filter", { placeholder: 'team:"research"' })}
    </div>
    ${filter ? filterChip(app, filter) : nothing}
    ${when(found, (found) => statement(app, found, query))}
    <section class="card" aria-labelledby="h-odd">
      <h2 id="h-odd">Unusual costs</h2>
      ${anomalies(app)}
    </section>
    ${explanation(app, { window, by, ...(filter ? { filter } : {}) })}`;
}

function filterChip(app: App, filter: string): TemplateResult {
  const back = changed(app.route, { filter: null, by: null, "rows.page": null });
  return html`<p class="note">Only <code>${filter}</code>. <a href=${back}>Show everything</a></p>`;
}

function statement(app: App, found: Cost, query: Query): TemplateResult {
  if (found.rows.length === 0) {
    return empty("No charges in this window.", "They are posted as hours end.");
  }
  return html`<section class="card" aria-labelledby="h-statement">
      <div class="lead">
        <h2 id="h-statement" class="hidden">Statement</h2>
        <p class="figure">
          ${money(parse(found.paid), found.currency)}
          <span class="unit">${found.currency} paid</span>
        </p>
        <p class="soft">
          ${time(app, found.window.from)} to ${time(app, found.window.to)} ·
          ${plural(found.hours, "hour")} with charges · ${plural(found.rows.length, "row")} ·
          ${found.coverage === null ? "coverage unknown" : `${percent(found.coverage, 0)} measured`}
        </p>
      </div>
      ${figure({
        id: "cost-places",
        title: "Where it went",
        picture: placesBar(amountsOf(found), found.currency),
        sheet: () => ({
          head: ["place", found.currency],
          rows: PLACES.map((place) => [place, found[place]]),
        }),
      })}
      ${placesTable([{ head: "in the window", amounts: amountsOf(found) }], found.currency)}
      ${faults(app, found)}
    </section>
    <section class="card" aria-label="Charts">
      ${area(app, found)} ${series(app, found, query)}
    </section>
    <section class="card" aria-labelledby="h-rows">
      <h2 id="h-rows">By ${found.by.join(" and ")}</h2>
      ${rows(app, found)}
    </section>`;
}

function faults(app: App, found: Cost): TemplateResult | typeof nothing {
  const difference = parse(found.difference);
  const broken =
    difference === 0n
      ? nothing
      : html`<p class="state refused" role="alert">
          The books are at fault: ${format(difference, 12)} ${found.currency} is in no row.
        </p>`;
  if (found.unpriced.length === 0) return html`${broken} ${corrected(app, found)}`;
  return html`${broken} ${corrected(app, found)}
    <h3>Paid, and not in these figures: no price is known</h3>
    <ul class="rows">
      ${found.unpriced.slice(0, 8).map(
        (one) =>
          html`<li>
            <span>${one.node}</span> <span class="soft">${one.offer}</span>
            <span class="soft">from ${time(app, one.window.from)}: ${one.why}</span>
          </li>`,
      )}
    </ul>`;
}

/** Hours that were posted again: figures of before are not those of now. */
function corrected(app: App, found: Cost): TemplateResult | typeof nothing {
  const all = found.corrections ?? [];
  if (all.length === 0) return nothing;
  return html`<h3>Hours that were corrected</h3>
    <ul class="rows">
      ${all.slice(0, 8).map(
        (one) =>
          html`<li>
            <span>${time(app, one.hour.from)}</span>
            <span class="numeric"
              >${money(parse(one.before), found.currency)} to
              ${money(parse(one.after), found.currency)}</span
            >
            <span class="soft why">${one.why}</span>
          </li>`,
      )}
    </ul>`;
}

/** The name of a row: the values of its keys. */
function nameOf(by: readonly string[]): (row: CostRow) => string {
  return (row) => by.map((key) => String(row[key] ?? "")).join(" / ");
}

/** What a click on a row leads to: finer rows, or where the number comes from. */
function target(app: App, found: Cost, row: CostRow): Record<string, string | null> {
  const key = found.by[0];
  const value = key === undefined ? "" : String(row[key] ?? "");
  const finer = found.by.length === 1 && key !== "workload" && !value.startsWith("(");
  if (!finer || key === undefined) return { explain: row.id };
  const more = app.route.query.get("filter");
  const one = `${key}:${quoted(value)}`;
  return {
    filter: more ? `(${more})+${one}` : one,
    by: "workload",
    "rows.page": null,
  };
}

/** A value in a filter. One with both kinds of quotes is found by what is before the second. */
function quoted(value: string): string {
  if (!value.includes('"')) return `"${value}"`;
  return value.includes("'") ? `"${value.slice(0, value.indexOf('"'))}"` : `'${value}'`;
}

function area(app: App, found: Cost): TemplateResult {
  return figure({
    id: "cost-treemap",
    title: `What is paid, by ${found.by.join(" and ")}`,
    picture: treemap(found, nameOf(found.by), (row) => app.set(target(app, found, row))),
    sheet: () => ({
      head: [...found.by, "total"],
      rows: found.rows.map((row) => [...found.by.map((key) => String(row[key])), row.total]),
    }),
    note: html`Areas are amounts. A click opens what is inside; the rows below lead to the
    same.${small(found)}`,
  });
}

/** Names that an area had no room for. */
function small(found: Cost): string {
  const all = derive(found, "unnamed", () => unnamed(found));
  if (all.length === 0) return "";
  const some = all.slice(0, 6).map(({ name, amount }) => `${name} ${format(amount)}`);
  const more = all.length > some.length ? ` and ${all.length - some.length} more` : "";
  return ` Without a name there: ${some.join("; ")}${more}.`;
}

/** The same by the hour or day; by place it is cut by resource, which is little to read. */
function series(app: App, found: Cost, query: Query): TemplateResult | typeof nothing {
  const places = chosen(app, STACK) === "places";
  const by = places ? { by: "resource", share_idle: null } : {};
  const asked = path("/cost", { ...query, ...by, step: stepOf(query.window) });
  return html`<div class="controls inner">${select(app, STACK)}</div>
    ${when(app.read<Cost>(asked, 15_000), (cut) => overTime(app, found, cut, places))}`;
}

function overTime(app: App, found: Cost, cut: Cost, places: boolean): TemplateResult {
  const spans = spansOf(cut);
  if (spans.length < 2) return empty("One span only.", "A chart over time begins with the second.");
  const name = nameOf(found.by);
  const spec = {
    key: `cost ${places} ${found.by.join()}`,
    currency: found.currency,
    zone: app.settings.zone,
    height: 300,
  };
  const largest = derive(found, "largest", () =>
    [...found.rows]
      .sort((a, b) => compare(parse(b.total), parse(a.total)))
      .slice(0, LAYERS)
      .map(name),
  );
  return figure({
    id: "cost-series",
    title: "Over time",
    picture: places ? seriesOfPlaces(spans, spec) : seriesOfRows(spans, largest, name, spec),
    sheet: () => (places ? sheetOfPlaces(spans) : sheetOfRows(spans, largest, name)),
  });
}

/** A column of money. */
function amountColumn(
  currency: string,
  id: keyof CostRow & string,
  head: string,
  title: string,
): Column<CostRow> {
  return {
    id,
    head,
    title,
    numeric: true,
    wide: id !== "total",
    cell: (row) => money(parse(String(row[id])), currency),
    sort: (row) => parse(String(row[id])),
    csv: (row) => plain(parse(String(row[id]))),
  };
}

function rows(app: App, found: Cost): TemplateResult {
  const amount = (id: keyof CostRow & string, head: string, title: string) =>
    amountColumn(found.currency, id, head, title);
  const keys: Column<CostRow>[] = found.by.map((key, at) => ({
    id: key,
    head: key,
    cell: (row) =>
      at === 0
        ? html`<a href=${changed(app.route, target(app, found, row))}>${row[key]}</a>`
        : row[key],
    sort: (row) => String(row[key]),
    csv: (row) => String(row[key]),
  }));
  const columns: Column<CostRow>[] = [
    ...keys,
    amount("total", "Total", "what it is charged"),
    amount("used", "Used", "allocated, and it worked"),
    amount("idle", "Idle", "allocated, and it did not work"),
    amount("unallocated", "Unallocated", "paid, and nobody has it"),
    amount("overhead", "Overhead", "the system's own"),
    ...(found.shared === "0.00" ? [] : [amount("shared", "Shared", "its part of what is shared")]),
    {
      id: "utilisation",
      head: "Utilisation",
      wide: true,
      title: "used / allocated, in money",
      numeric: true,
      cell: (row) =>
        row.utilisation === null ? unknown("nothing was allocated") : percent(row.utilisation),
      sort: (row) => row.utilisation,
      csv: (row) => row.utilisation,
    },
    {
      id: "gpu_hours",
      head: "GPU hours",
      numeric: true,
      wide: true,
      cell: (row) => fixed(row.gpu_hours),
      sort: (row) => row.gpu_hours,
      csv: (row) => row.gpu_hours,
    },
    {
      id: "why",
      head: "Why",
      cell: (row) =>
        html`<a
          href=${changed(app.route, { explain: row.id })}
          aria-label="Explain ${nameOf(found.by)(row)}"
          >explain</a
        >`,
    },
  ];
  return table(app, {
    id: "rows",
    label: `Cost by ${found.by.join(" and ")}`,
    columns,
    rows: found.rows,
    key: (row) => row.id,
    sort: "-total",
    empty: empty("No rows.", ""),
    chosen: (row) => app.route.query.get("explain") === row.id,
  });
}
