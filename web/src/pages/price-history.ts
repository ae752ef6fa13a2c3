/** The prices that were paid for each offer over time. */
import { html, type TemplateResult } from "lit-html";
import { path } from "../api/client.ts";
import type { PriceSeries } from "../api/past-types.ts";
import type { Page } from "../api/types.ts";
import type { App } from "../app.ts";
import { pricesOverTime } from "../charts/prices.ts";
import { parse, parseOrNull } from "../money/decimal.ts";
import { count } from "../money/number.ts";
import { type Choice, chosen, select } from "../parts/controls.ts";
import { figure } from "../parts/figure.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { machineName, money } from "../parts/text.ts";

const PAST: Choice = {
  name: "past",
  label: "Prices of",
  first: "7d",
  values: [
    ["24h", "the last 24 hours"],
    ["7d", "the last 7 days"],
    ["30d", "the last 30 days"],
  ],
};

/** Lines in one picture: more could not be told apart. */
const LINES = 7;

export function priceHistory(app: App): TemplateResult {
  const { query } = app.route;
  const asked = { provider: query.get("provider"), region: query.get("region") };
  const window = chosen(app, PAST);
  const found = app.read<Page<PriceSeries>>(
    path("/offers/history", { window, ...asked, limit: 100 }),
    60_000,
  );
  return html`<section class="card" aria-labelledby="h-history">
    <h2 id="h-history">Prices that were paid <small>an hour of one node, by the books</small></h2>
    <div class="controls">${select(app, PAST)}</div>
    ${when(found, (found) => page(app, found))}
  </section>`;
}

function page(app: App, found: Page<PriceSeries>): TemplateResult {
  if (found.items.length === 0) {
    return empty("Nobody paid for a node in this time.", "What is bought has a history here.");
  }
  // What changed most is what one looks for; then what costs most.
  const range = (one: PriceSeries) => parse(one.highest) - parse(one.lowest);
  const lines = [...found.items].sort((a, b) => {
    const [more, dearer] = [range(b) - range(a), parse(b.highest) - parse(a.highest)];
    const by = more === 0n ? dearer : more;
    return by > 0n ? 1 : by < 0n ? -1 : 0;
  });
  const shown = lines.slice(0, LINES);
  const rest = found.items.length - shown.length;
  return html`${figure({
    id: "offers-history",
    title: `Price per hour over time${rest > 0 ? `, ${LINES} of ${found.items.length} offers` : ""}`,
    picture: pricesOverTime(shown, app.settings.zone),
    note: "Where a line ends, nobody paid for one: what it cost then is not known.",
    sheet: () => ({
      head: ["offer", "from", "to", "price", "currency", "kind", "source", "as_of"],
      rows: found.items.flatMap((one) =>
        one.points.map(({ window, price, kind, source, as_of }) => [
          one.offer,
          window.from,
          window.to,
          price,
          one.currency,
          kind,
          source,
          as_of,
        ]),
      ),
    }),
  })}
  ${table(app, {
    id: "history",
    label: "Prices that were paid",
    columns: columns(),
    rows: lines,
    key: (one) => one.offer,
    page: 10,
    empty: empty("None.", ""),
  })}`;
}

function columns(): Column<PriceSeries>[] {
  const amount = (
    id: string,
    head: string,
    of: (one: PriceSeries) => string | null,
  ): Column<PriceSeries> => ({
    id,
    head,
    numeric: true,
    cell: (one) => money(parseOrNull(of(one)), one.currency, 4, "no book has it now"),
    sort: (one) => parseOrNull(of(one)),
    csv: of,
  });
  return [
    {
      id: "offer",
      head: "Offer",
      cell: (one) =>
        html`${machineName(one.instance_type)}<br /><small
            >${one.provider} ${one.zone ?? one.region} ${one.purchase}</small
          >`,
      sort: (one) => one.offer,
      csv: (one) => one.offer,
    },
    amount("lowest", "Lowest", (one) => one.lowest),
    amount("highest", "Highest", (one) => one.highest),
    { ...amount("now", "Now", (one) => one.now), title: "what the price book says now" },
    {
      id: "points",
      head: "Prices",
      title: "how often its price changed, or was paid anew",
      numeric: true,
      wide: true,
      cell: (one) => count(one.points_of),
      sort: (one) => one.points_of,
      csv: (one) => one.points_of,
    },
  ];
}
