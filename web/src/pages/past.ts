/** What recorded hours would have cost under other choices, side by side. */
import { html, nothing, type TemplateResult } from "lit-html";
import { path } from "../api/client.ts";
import type { Past, PastPolicy, PastRow } from "../api/past-types.ts";
import type { App } from "../app.ts";
import { bars } from "../charts/bars.ts";
import { exact, format, parse, type Pico, toNumber } from "../money/decimal.ts";
import { count, fixed, plural } from "../money/number.ts";
import { chosen, field, select, WINDOW } from "../parts/controls.ts";
import { figure } from "../parts/figure.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, money, time, unknown } from "../parts/text.ts";
import { changed } from "../router.ts";

const FIELDS = ["idle_after", "reserve"] as const;

export function past(app: App): TemplateResult {
  const asked = Object.fromEntries(FIELDS.map((name) => [name, app.route.query.get(name)]));
  const window = chosen(app, WINDOW);
  const found = app.read<Past>(path("/what-if/history", { window, ...asked }), 60_000);
  return html`<p class="note">
      The books of the window, under other choices. What nobody can know from them is named below,
      and stays in the sums as it was paid.
    </p>
    <div class="controls">
      ${select(app, WINDOW)}
      ${field(app, "idle_after", "Idle nodes released after", { placeholder: "10m" })}
      ${field(app, "reserve", "Kept free", { placeholder: "20%" })}
    </div>
    ${when(found, (found) => page(app, found))}`;
}

function page(app: App, found: Past): TemplateResult {
  if (found.hours === 0) {
    return empty("The books have nothing of this window.", "Choose a longer one, or come back.");
  }
  const policy = found.policies.find(({ policy }) => policy === app.route.query.get("policy"));
  return html`<section class="card" aria-labelledby="h-past">
      <h2 id="h-past">
        Choices side by side
        <small
          >${time(app, found.window.from)} to ${time(app, found.window.to)},
          ${plural(found.hours, "hour")} with charges</small
        >
      </h2>
      ${picture(found)} ${choices(app, found)}
      ${found.left_out ? html`<p class="note">Left out: ${found.left_out}.</p>` : nothing}
      ${
        found.unpriced > 0
          ? html`<p class="note">
              ${plural(found.unpriced, "stretch", "stretches")} of nodes without a price: in no sum.
            </p>`
          : nothing
      }
    </section>
    ${policy ? offers(app, found, policy) : nothing}
    <section class="card" aria-labelledby="h-breaks">
      <h2 id="h-breaks">What each would have broken, and what nobody knows</h2>
      ${found.policies.map((one) => broken(app, one))}
    </section>`;
}

function picture(found: Past): TemplateResult {
  return figure({
    id: "what-if-history",
    title: "What the window costs under each",
    picture: bars({
      key: "what-if-history",
      label: `Cost of ${found.policies.length} choices. The table has the same.`,
      currency: found.currency,
      rows: found.policies.map((one) => ({
        name: one.name,
        value: toNumber(parse(one.cost)),
        text: `${one.at_least ? "≥ " : ""}${format(parse(one.cost))}`,
        more: told(one, found.currency),
        kind: one.policy === "as-it-was" ? "ours" : one.at_least ? "second" : "other",
      })),
      line: { value: toNumber(parse(found.paid)), name: "as it was" },
    }),
    note: "An outlined bar is the least that it could have cost. Prices of other offers are those of the book now.",
    sheet: () => ({
      head: ["policy", "name", "cost", "saving", "at_least", "currency", "waits", "unknown"],
      rows: found.policies.map((one) => [
        one.policy,
        one.name,
        one.cost,
        one.saving,
        String(one.at_least),
        found.currency,
        one.waits,
        one.unknown,
      ]),
    }),
  });
}

function told(one: PastPolicy, currency: string): string {
  const saving = parse(one.saving);
  const words = saving < 0n ? "more" : "less";
  return [
    `${one.at_least ? "at least " : ""}${exact(parse(one.cost))} ${currency}`,
    ...(saving === 0n ? [] : [`${format(saving < 0n ? -saving : saving)} ${words} than it was`]),
    ...(one.waits > 0 ? [`work waits ${count(one.waits)} times`] : []),
  ].join("\n");
}

function choices(app: App, found: Past): TemplateResult {
  return table(app, {
    id: "choices",
    label: "Choices side by side",
    columns: [...figures(app, found), ...consequences(found)],
    rows: found.policies,
    key: (one) => one.policy,
    chosen: (one) => one.policy === app.route.query.get("policy"),
    empty: empty("No choices.", ""),
  });
}

function amount(
  id: string,
  head: string,
  currency: string,
  of: (one: PastPolicy) => Pico,
): Column<PastPolicy> {
  return {
    id,
    head,
    numeric: true,
    cell: (one) => money(of(one), currency),
    sort: of,
    csv: (one) => exact(of(one)),
  };
}

function counted(id: string, head: string, of: (one: PastPolicy) => number): Column<PastPolicy> {
  return { id, head, numeric: true, wide: true, cell: (one) => count(of(one)), sort: of, csv: of };
}

function figures(app: App, { currency }: Past): Column<PastPolicy>[] {
  const link = (one: PastPolicy) => changed(app.route, { policy: one.policy });
  return [
    {
      id: "policy",
      head: "Choice",
      cell: (one) => (one.rows.length > 0 ? html`<a href=${link(one)}>${one.name}</a>` : one.name),
      sort: (one) => one.name,
      csv: (one) => one.name,
    },
    {
      ...amount("cost", "Cost", currency, (one) => parse(one.cost)),
      cell: (one) => html`${one.at_least ? "≥ " : nothing}${money(parse(one.cost), currency)}`,
    },
    amount("saving", "Saves", currency, (one) => parse(one.saving)),
    {
      id: "hours",
      head: "Node-hours",
      numeric: true,
      wide: true,
      cell: (one) => fixed(one.other_node_hours, 1),
      sort: (one) => one.other_node_hours,
      csv: (one) => one.other_node_hours,
    },
  ];
}

function consequences({ currency }: Past): Column<PastPolicy>[] {
  const why = "how often spot nodes are taken away is not known, or none is spot";
  return [
    counted("waits", "Waits", (one) => one.waits),
    counted("missed", "Deadlines missed", (one) => one.deadlines_missed.length),
    {
      id: "interruptions",
      head: "Taken away",
      title: "interruptions of spot nodes to be expected",
      numeric: true,
      wide: true,
      cell: (one) => {
        if (one.interruptions !== null) return fixed(one.interruptions, 1);
        return one.policy === "spot" ? unknown(why) : "–";
      },
      sort: (one) => one.interruptions,
      csv: (one) => one.interruptions,
    },
    {
      ...amount("unknown", "Nobody knows", currency, (one) => parse(one.unknown)),
      title: "what stays in the cost as it was paid, as nobody can tell",
      wide: true,
    },
  ];
}

function offers(app: App, found: Past, policy: PastPolicy): TemplateResult {
  const columns: Column<PastRow>[] = [
    {
      id: "offer",
      head: "Bought",
      cell: (row) => html`<span class="break">${row.offer ?? "all others"}</span>`,
      csv: (row) => row.offer,
    },
    {
      id: "other",
      head: "Instead",
      cell: (row) =>
        row.kept
          ? html`<span class="soft">as it was: ${row.kept}</span>`
          : html`<span class="break" title=${row.source ? `${row.source}, ${row.as_of}` : nothing}
              >${row.other ?? "the same"}</span
            >`,
      csv: (row) => row.kept ?? row.other,
    },
    {
      id: "was",
      head: "Was",
      numeric: true,
      cell: (row) => money(parse(row.was), found.currency),
      sort: (row) => parse(row.was),
      csv: (row) => row.was,
    },
    {
      id: "cost",
      head: "Would be",
      numeric: true,
      cell: (row) => money(parse(row.cost), found.currency),
      sort: (row) => parse(row.cost),
      csv: (row) => row.cost,
    },
    {
      id: "hours",
      head: "Node-hours",
      numeric: true,
      wide: true,
      cell: (row) => `${fixed(row.node_hours, 1)} → ${fixed(row.other_node_hours, 1)}`,
      csv: (row) => row.other_node_hours,
    },
  ];
  return html`<section class="card" aria-labelledby="h-offers">
    <h2 id="h-offers">
      By offer: ${policy.name}
      <small>${count(policy.rows_of)} rows that sum to its cost</small>
    </h2>
    ${table(app, {
      id: "past-offers",
      label: "By offer",
      columns,
      rows: policy.rows,
      key: (row) => `${row.offer} ${row.other} ${row.kept}`,
      empty: empty("Nothing was paid.", ""),
    })}
    <p><a href=${changed(app.route, { policy: null })}>Close</a></p>
  </section>`;
}

function broken(app: App, one: PastPolicy): TemplateResult | typeof nothing {
  if (one.policy === "as-it-was") return nothing;
  const names = (all: string[]) => all.slice(0, 20).join(", ");
  const line = (words: string, all: string[]) =>
    all.length > 0
      ? html`<li><span>${words}</span> <span class="soft why">${names(all)}</span></li>`
      : nothing;
  const nothingBreaks = one.breaks.length === 0 && one.waits === 0;
  return html`<h3>${one.name}</h3>
    <ul class="rows">
      ${one.breaks.map((text) => html`<li><span>${text}</span></li>`)}
      ${nothingBreaks ? html`<li><span class="soft">nothing that the books know of</span></li>` : nothing}
      ${
        one.deadlines_missed.length > 0
          ? html`<li>
              ${badge("warn", "deadline missed")}
              <span class="soft why">${names(one.deadlines_missed)}</span>
            </li>`
          : nothing
      }
      ${line("Deadlines met all the same:", one.deadlines_kept)}
      ${line("Gone since, so its deadline is not known:", one.deadlines_unknown)}
      ${line("Stopped as idle:", one.stopped)}
      ${one.waiting.slice(0, 10).map(
        (wait) =>
          html`<li>
            <span>${wait.workload}</span>
            <span class="soft why">waits at ${time(app, wait.at)} for ${wait.node}</span>
          </li>`,
      )}
    </ul>`;
}
