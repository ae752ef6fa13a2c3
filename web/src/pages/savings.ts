/** Savings: what each step promised, and what the ledger says it saved. */
import { html, nothing, type TemplateResult } from "lit-html";
import { path } from "../api/client.ts";
import { type Verified, verifiedOf } from "../api/records.ts";
import type { Savings } from "../api/types.ts";
import type { App } from "../app.ts";
import { savingsOverTime, sumsOf } from "../charts/savings.ts";
import { parse, parseOrNull, plain, ratio } from "../money/decimal.ts";
import { count, percent } from "../money/number.ts";
import { derive } from "../parts/derive.ts";
import { figure } from "../parts/figure.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, money, time } from "../parts/text.ts";

export function savings(app: App): TemplateResult {
  const found = app.read<Savings>(path("/savings", { limit: 500 }), 5_000);
  return html`<h1 id="title" tabindex="-1">Savings</h1>
    ${when(found, (found) => page(app, found))}`;
}

function page(app: App, found: Savings): TemplateResult {
  if (found.items.length === 0) {
    return empty(
      "No step has ended yet.",
      "A saving is counted when the ledger has posted its time.",
    );
  }
  const { totals } = found;
  const [sum] = totals.sums;
  const currency = sum?.currency ?? "";
  const predicted = parse(sum?.predicted ?? "0");
  const realised = parseOrNull(sum?.realised);
  return html`<section class="card" aria-labelledby="h-total">
      <h2 id="h-total" class="hidden">Totals</h2>
      <div class="lead">
        <p class="figure">
          ${money(realised, currency, 2, "no step is verified yet")}
          <span class="unit">${currency} realised</span>
        </p>
        <p class="soft">
          of ${money(predicted, currency)} predicted
          (${percent(realised === null ? null : ratio(realised, predicted))}) by
          ${count(totals.steps)} steps that count
        </p>
      </div>
      <p class="note">
        Realised is what the reference would have cost less what the ledger posted. Steps that were
        undone are shown and not counted.
      </p>
      ${chart(app, found, currency)}
    </section>
    <section class="card" aria-labelledby="h-steps">
      <h2 id="h-steps">Step by step</h2>
      ${rows(app, found, currency)}
    </section>`;
}

function chart(app: App, found: Savings, currency: string): TemplateResult {
  const [all] = found.totals.sums;
  const realised = parseOrNull(all?.realised);
  // Of a page it is known what all before it came to.
  const totals =
    found.next && all && realised !== null ? { predicted: parse(all.predicted), realised } : null;
  const points = derive(found, "sums", () => sumsOf(verifiedOf(found.items), totals));
  const shown = found.next
    ? `The newest ${points.length} steps; those before are in the sum that it begins with.`
    : "";
  return figure({
    id: "savings",
    title: "Predicted and realised, added up",
    picture: savingsOverTime(points, currency, app.settings.zone),
    note: shown ? html`${shown}` : nothing,
    sheet: () => ({
      head: ["at", "step", "predicted_sum", "realised_sum"],
      rows: points.map((point) => [
        new Date(point.at).toISOString(),
        point.step,
        plain(point.predicted),
        plain(point.realised),
      ]),
    }),
  });
}

function rows(app: App, found: Savings, currency: string): TemplateResult {
  const items = derive(found, "verified", () => verifiedOf(found.items));
  const amount = (
    id: "reference" | "predicted" | "realised" | "posted",
    head: string,
    title: string,
    wide: boolean,
  ): Column<Verified> => ({
    id,
    head,
    title,
    wide,
    numeric: true,
    cell: (one) => money(parse(one[id]), currency),
    sort: (one) => parse(one[id]),
    csv: (one) => one[id],
  });
  const difference = (one: Verified) => parse(one.realised) - parse(one.predicted);
  const columns: Column<Verified>[] = [
    {
      id: "step",
      head: "Step",
      cell: (one) => html`${one.step}<br /><small>${one.target}</small>`,
      sort: (one) => one.target,
      csv: (one) => one.step,
    },
    {
      id: "to",
      head: "Until",
      wide: true,
      cell: (one) => time(app, one.to),
      sort: (one) => one.to,
      csv: (one) => one.to,
    },
    amount("reference", "Reference", "what it would have cost without the step", true),
    amount("posted", "Posted", "what the ledger says it cost", true),
    amount("predicted", "Predicted", "what the plan promised", false),
    amount("realised", "Realised", "reference less posted", false),
    {
      id: "difference",
      head: "Difference",
      title: "realised less predicted",
      numeric: true,
      wide: true,
      cell: (one) => money(difference(one), currency),
      sort: difference,
      csv: (one) => plain(difference(one)),
    },
    { id: "state", head: "Counts", cell: counts, sort: state, csv: state },
  ];
  return table(app, {
    id: "savings",
    label: "Savings by step",
    columns,
    rows: items,
    key: (one) => String(one.seq),
    sort: "-to",
    empty: empty("No step has ended yet.", ""),
  });
}

function state(one: Verified): string {
  if (one.undone) return "undone";
  return one.complete ? "complete" : "in part";
}

function counts(one: Verified): TemplateResult {
  if (one.undone) return badge("warn", "no, undone");
  return one.complete
    ? badge("good", "yes")
    : badge("plain", "for its time", "it counts for the time in which it was in force");
}
