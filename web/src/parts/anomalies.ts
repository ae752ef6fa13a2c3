/** Hours that cost far more than the same hours of past weeks: where people look for money. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { Anomaly } from "../api/budget-types.ts";
import { valueOf } from "../api/cache.ts";
import type { Page } from "../api/types.ts";
import type { App } from "../app.ts";
import { parse, ratio } from "../money/decimal.ts";
import { fixed, plural } from "../money/number.ts";
import { href } from "../router.ts";
import { empty, when } from "./state.ts";
import { type Column, table } from "./table.ts";
import { badge, money, time, unknown } from "./text.ts";

const asked = (app: App) => app.read<Page<Anomaly>>("/anomalies", 30_000);

const filter = (one: Anomaly): string => `${one.of}:"${one.name.replaceAll('"', "")}"`;

/** How much more than usual. */
const times = (one: Anomaly): number | null => ratio(parse(one.spent), parse(one.usual));

/** In one line above other figures; nothing where nothing is odd. */
export function anomaliesBrief(app: App): TemplateResult | typeof nothing {
  const all = valueOf(asked(app))?.items ?? [];
  const [first] = all;
  if (!first) return nothing;
  const more = all.length > 1 ? `, and ${plural(all.length - 1, "other")}` : "";
  return html`<p class="note odd">
    ${badge("warn", "unusual")} ${first.of} <strong>${first.name}</strong> cost
    ${money(parse(first.spent), first.currency)} in the hour of ${time(app, first.hour)}, where
    ${money(parse(first.usual), first.currency)} are usual${more}.
    <a href=${href("cost")}>All of them</a>
  </p>`;
}

/** As a table, to sort and to take along. */
export function anomalies(app: App): TemplateResult | typeof nothing {
  return when(asked(app), (all) =>
    table(app, {
      id: "anomalies",
      label: "Unusual costs",
      columns: columns(app),
      rows: all.items,
      key: (one) => `${one.of} ${one.name}`,
      empty: empty(
        "Nothing is unusual.",
        "The last hours of each team and workload are compared with those of past weeks.",
      ),
    }),
  );
}

function columns(app: App): Column<Anomaly>[] {
  const amount = (id: "spent" | "usual" | "bound", head: string, title: string, wide = false) => ({
    id,
    head,
    title,
    wide,
    numeric: true,
    cell: (one: Anomaly) => money(parse(one[id]), one.currency),
    sort: (one: Anomaly) => parse(one[id]),
    csv: (one: Anomaly) => one[id],
  });
  return [
    {
      id: "name",
      head: "Who",
      cell: (one) =>
        html`<a href=${href("cost", { by: one.of, filter: filter(one) })}>${one.name}</a>
          <small>${one.of}</small>`,
      sort: (one) => one.name,
      csv: (one) => one.name,
    },
    {
      id: "hour",
      head: "Hour",
      cell: (one) => time(app, one.hour),
      sort: (one) => one.hour,
      csv: (one) => one.hour,
    },
    amount("spent", "Cost", "what the newest of the hours cost"),
    amount("usual", "Usually", "the middle of the same hours of past weeks"),
    amount("bound", "Odd from", "from what on it is far above", true),
    {
      id: "times",
      head: "Times",
      title: "cost over what is usual",
      numeric: true,
      cell: (one) => {
        const many = times(one);
        return many === null ? unknown("nothing is usual") : `${fixed(many, 1)} x`;
      },
      sort: times,
      csv: times,
    },
  ];
}
