/** Offers: the price ladder for a request, what was left out, what would win but for one thing. */
import { html, nothing, type TemplateResult } from "lit-html";
import { path } from "../api/client.ts";
import type { Offer, Offers } from "../api/offer-types.ts";
import type { App } from "../app.ts";
import { bars } from "../charts/bars.ts";
import { format, parse, parseOrNull, toNumber } from "../money/decimal.ts";
import { count, fixed, plural } from "../money/number.ts";
import { type Choice, chosen, field, select } from "../parts/controls.ts";
import { figure } from "../parts/figure.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, machineName, money } from "../parts/text.ts";
import { priceHistory } from "./price-history.ts";

const PURCHASE: Choice = {
  name: "purchase",
  label: "To pay",
  first: "on-demand",
  values: [
    ["on-demand", "on demand"],
    ["spot", "spot"],
    ["any", "any way"],
  ],
};

const ACCELERATOR = "H100-80GB";
const FIELDS = ["nodes", "provider", "region", "cpus", "memory", "max_price"] as const;
const RUNGS = 20;

export function offers(app: App): TemplateResult {
  const { query } = app.route;
  const accelerator = query.get("accelerator") ?? ACCELERATOR;
  const asked = Object.fromEntries(FIELDS.map((name) => [name, query.get(name)]));
  const found = app.read<Offers>(
    path("/offers", {
      accelerator,
      count: query.get("count") ?? "1",
      purchase: chosen(app, PURCHASE),
      ...asked,
      limit: 100,
    }),
    60_000,
  );
  return html`<h1 id="title" tabindex="-1">Offers</h1>
    <div class="controls">
      ${field(app, "accelerator", "Accelerator", { first: ACCELERATOR })}
      ${field(app, "count", "Of them", { type: "number", first: "1" })} ${select(app, PURCHASE)}
      ${field(app, "provider", "Provider", { placeholder: "any" })}
      ${field(app, "region", "Region", { placeholder: "any" })}
      ${field(app, "max_price", "At most, per hour", { placeholder: "10 USD/h" })}
    </div>
    ${when(found, (found) => page(app, found))} ${priceHistory(app)}`;
}

function page(app: App, found: Offers): TemplateResult {
  return html`<section class="card" aria-labelledby="h-ladder">
      <h2 id="h-ladder">
        ${plural(found.matched, "offer")} of ${count(found.considered)} do
        <small>by ${found.compared}, in ${fixed(found.query_ms, 2)} ms</small>
      </h2>
      ${
        found.offers.length === 0
          ? empty("None does what is asked.", "What was left out, and why, is below.")
          : html`${ladder(found)} ${rows(app, found)}`
      }
    </section>
    <div class="columns">
      <section class="card" aria-labelledby="h-near">
        <h2 id="h-near">Better but for one thing</h2>
        ${near(found)}
      </section>
      <section class="card" aria-labelledby="h-out">
        <h2 id="h-out">What was left out</h2>
        ${leftOut(found)}
      </section>
    </div>`;
}

function ladder(found: Offers): TemplateResult {
  const currency = found.offers.find((offer) => offer.currency)?.currency ?? "";
  const shown = found.offers.slice(0, RUNGS);
  const best = shown[0] && parse(shown[0].total);
  return figure({
    id: "offers-ladder",
    title: `The price ladder${found.offers.length > RUNGS ? `, the first ${RUNGS} rungs` : ""}`,
    picture: bars({
      key: "ladder",
      label: `Price per hour of ${shown.length} offers, the cheapest first. The table has the same.`,
      currency: `${currency} per hour, all nodes`,
      rows: shown.map((offer) => ({
        name: `${offer.provider} ${offer.zone ?? offer.region} ${offer.instance_type}`,
        value: toNumber(parse(offer.total)),
        text: format(parse(offer.total)),
        more: told(offer, best ?? 0n),
        kind: offer.purchase === "spot" ? "second" : "other",
      })),
    }),
    note: "Outlined bars are spot: they may be taken away. Hover for source and day of a price.",
    sheet: () => ({
      head: ["id", "purchase", "total", "currency", "source", "as_of"],
      rows: found.offers.map((one) => [
        one.id,
        one.purchase,
        one.total,
        one.currency,
        one.source,
        one.as_of,
      ]),
    }),
  });
}

function told(offer: Offer, best: bigint): string {
  const more = parse(offer.total) - best;
  return [
    offer.purchase,
    `${format(parse(offer.total), 4)} ${offer.currency ?? ""} per hour, all nodes`,
    more > 0n ? `${format(more, 4)} more than the cheapest` : "the cheapest",
    `${offer.source ?? "no source"}, as of ${offer.as_of ?? "an unknown day"}`,
  ].join("\n");
}

function place(offer: Offer): TemplateResult {
  return html`${machineName(offer.instance_type)}<br /><small class="whole"
      >${offer.provider} ${offer.zone ?? offer.region}</small
    >`;
}

function rows(app: App, found: Offers): TemplateResult {
  return table(app, {
    id: "offers",
    label: "Offers",
    columns: [...machine(), ...price()],
    rows: found.offers,
    key: (one) => one.id,
    page: 20,
    empty: empty("None.", ""),
  });
}

function machine(): Column<Offer>[] {
  return [
    { id: "offer", head: "Offer", cell: place, sort: (one) => one.id, csv: (one) => one.id },
    {
      id: "accelerator",
      head: "GPUs",
      wide: true,
      cell: (one) =>
        html`<span class="num"
          >${one.accelerator ? `${one.accelerator_count} x ${one.accelerator}` : "–"}</span
        >`,
      csv: (one) => `${one.accelerator_count} x ${one.accelerator ?? ""}`,
    },
    {
      id: "size",
      head: "Cores, GiB",
      wide: true,
      numeric: true,
      cell: (one) => `${one.vcpus}, ${one.memory_gib}`,
      csv: (one) => `${one.vcpus} ${one.memory_gib}`,
    },
    {
      id: "purchase",
      head: "Paid",
      cell: (one) => html`<span class="num">${one.purchase}</span>`,
      sort: (one) => one.purchase,
      csv: (one) => one.purchase,
    },
  ];
}

function price(): Column<Offer>[] {
  const why = (one: Offer) => one.warnings[0] ?? "no price is known";
  return [
    {
      id: "price",
      head: "Node per hour",
      numeric: true,
      wide: true,
      cell: (one) => money(parseOrNull(one.price), one.currency ?? "", 4, why(one)),
      sort: (one) => parseOrNull(one.price),
      csv: (one) => one.price,
    },
    {
      id: "total",
      head: "All per hour",
      numeric: true,
      cell: (one) => money(parse(one.total), one.currency ?? "", 4),
      sort: (one) => parse(one.total),
      csv: (one) => one.total,
    },
    {
      id: "source",
      head: "Seen",
      title: "the day of the price; its source on hover",
      wide: true,
      cell: (one) => html`<span class="num" title=${one.source ?? ""}>${one.as_of ?? "–"}</span>`,
      sort: (one) => one.as_of,
      csv: (one) => one.as_of,
    },
    {
      id: "warnings",
      head: "Mind",
      wide: true,
      cell: (one) =>
        one.warnings.length > 0
          ? html`<span class="folds">${badge("warn", one.warnings.join("; "))}</span>`
          : nothing,
      csv: (one) => one.warnings.join("; "),
    },
  ];
}

function line(offer: Offer, why: string): TemplateResult {
  return html`<li>
    <span class="break">${offer.provider} ${offer.region} ${offer.instance_type}</span>
    <span class="soft">${offer.purchase}</span>
    <span class="numeric">${money(parse(offer.total), offer.currency ?? "")}</span>
    <span class="soft why">${why}</span>
  </li>`;
}

function near(found: Offers): TemplateResult {
  const { near, otherwise_paid, split } = found;
  if (near.length + otherwise_paid.length === 0 && !split) {
    return empty("None.", "No single condition rules out a cheaper offer.");
  }
  return html`<ul class="rows">
    ${near.map(({ reason, offer }) => line(offer, reason))}
    ${otherwise_paid.map((offer) => line(offer, "paid in another way"))}
    ${split ? line(split, `over ${split.nodes} smaller nodes`) : nothing}
  </ul>`;
}

function leftOut(found: Offers): TemplateResult {
  const { book } = found;
  const all = Object.entries(found.excluded).sort(([, a], [, b]) => b - a);
  return html`<ul class="rows">
      ${all.map(
        ([reason, offers]) =>
          html`<li><span>${reason}</span><span class="numeric">${count(offers)}</span></li>`,
      )}
    </ul>
    <p class="note">
      The price book has ${plural(book.offers, "offer")}, prices of ${book.oldest ?? "unknown days"}
      to
      ${book.newest ?? "unknown days"}${
        book.age_days === null ? "" : `; the newest is ${plural(book.age_days, "day")} old`
      }
      (${book.from}).
    </p>`;
}
