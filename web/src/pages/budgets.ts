/** Budgets: how far each is, how it ends, what would break it, what would be cut. */
import { html, nothing, type TemplateResult } from "lit-html";
import { path } from "../api/client.ts";
import type { Budget, Page } from "../api/types.ts";
import type { App } from "../app.ts";
import { burn, rungsOf } from "../charts/burn.ts";
import { parse, parseOrNull, ratio } from "../money/decimal.ts";
import { count, percent } from "../money/number.ts";
import { budgetBar } from "../parts/budget-bar.ts";
import { derive } from "../parts/derive.ts";
import { figure } from "../parts/figure.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, money, time, unknown } from "../parts/text.ts";
import { changed } from "../router.ts";

const GPU_HOURS = "its limit is in GPU-hours, not in money";

export function budgets(app: App): TemplateResult {
  const all = app.read<Page<Budget>>(path("/budgets", { limit: 500 }), 5_000);
  return html`<h1 id="title" tabindex="-1">Budgets</h1>
    ${when(all, (all) => page(app, all.items))}`;
}

function page(app: App, all: Budget[]): TemplateResult {
  const asked = app.route.query.get("budget");
  const shown = asked ? all.find((one) => one.budget === asked) : nearest(all);
  return html`${asked && !shown ? empty(`There is no budget ${asked}.`, "") : nothing}
    ${shown ? detail(app, shown) : nothing}
    <section class="card" aria-labelledby="h-all">
      <h2 id="h-all">All budgets</h2>
      ${list(app, all, shown)}
    </section>`;
}

/** Exposure over limit; null where there is no limit in money. */
function exposure(budget: Budget): number | null {
  const limit = parseOrNull(budget.limit);
  return limit === null ? null : ratio(parse(budget.exposure), limit);
}

function nearest(all: Budget[]): Budget | undefined {
  return derive(all, "nearest", () =>
    [...all].sort((a, b) => (exposure(b) ?? -1) - (exposure(a) ?? -1)),
  )[0];
}

function scopeOf(budget: Budget): string {
  if (typeof budget.scope === "string") return budget.scope;
  const parts = Object.entries(budget.scope).map(([key, value]) => `${key} ${value}`);
  return parts.length > 0 ? parts.join(", ") : "everything";
}

function detail(app: App, budget: Budget): TemplateResult {
  return html`<section class="card" aria-labelledby="h-one">
    <h2 id="h-one">
      ${budget.budget}
      <small
        >${scopeOf(budget)}, ${budget.period.name} of ${time(app, budget.period.from, "day")} to
        ${time(app, budget.period.to, "day")}, ${budget.hard ? "hard" : "soft"}</small
      >
    </h2>
    ${facts(app, budget)}
    ${
      budget.burn.length < 2
        ? empty("Nothing was spent yet.", "The chart begins with the first charges.")
        : figure({
            id: `budget-${budget.budget}`,
            title: "Burn-down and forecast",
            picture: burn(budget, app.settings.zone),
            note: budget.forecast
              ? "The band holds 8 of 10 ends of the period; the dashed line is the middle one."
              : "No forecast: there is too little history for one.",
            sheet: () => ({
              head: ["at", "spent"],
              rows: budget.burn.map(({ at, spent }) => [at, spent]),
            }),
          })
    }
    ${rungs(budget)} ${cuts(budget)}
  </section>`;
}

function facts(app: App, budget: Budget): TemplateResult {
  const amount = (text: string | null, why = GPU_HOURS) =>
    money(parseOrNull(text), budget.currency, 2, why);
  const left = parseOrNull(budget.left);
  return html`<dl class="facts">
    <div>
      <dt>Limit</dt>
      <dd>
        ${
          budget.limit === null && budget.gpu_hours_limit !== null
            ? html`${count(budget.gpu_hours_limit)} <small>GPU-hours</small>`
            : html`${amount(budget.limit)} <small>${budget.currency}</small>`
        }
      </dd>
    </div>
    <div>
      <dt>Spent</dt>
      <dd>${amount(budget.spent)}</dd>
    </div>
    <div>
      <dt>Committed</dt>
      <dd>${amount(budget.committed)}</dd>
    </div>
    <div>
      <dt>Reserved</dt>
      <dd>${amount(budget.reserved)}</dd>
    </div>
    <div>
      <dt>Left</dt>
      <dd>
        ${amount(budget.left)} ${left !== null && left < 0n ? badge("warn", "over") : nothing}
      </dd>
    </div>
    <div>
      <dt>Forecast at the end</dt>
      <dd>${amount(budget.forecast?.p50 ?? null, "too little history for a forecast")}</dd>
    </div>
    <div>
      <dt>Runs out</dt>
      <dd>${budget.runs_out ? time(app, budget.runs_out) : "not in this period"}</dd>
    </div>
  </dl>`;
}

function rungs(budget: Budget): TemplateResult | typeof nothing {
  const all = rungsOf(budget);
  if (all.length === 0) return nothing;
  return html`<p class="note">
    Escalation: ${all.map((rung) => `at ${percent(rung.at, 0)} ${rung.do}`).join(", ")}.
    ${budget.rung ? html`Now at ${badge("warn", budget.rung)}.` : "None is reached."}
  </p>`;
}

function cuts(budget: Budget): TemplateResult | typeof nothing {
  if (budget.cuts.length === 0) return nothing;
  return html`<h3>What would be cut first: the least work lost for the money</h3>
    <ul class="rows">
      ${budget.cuts.map(
        (cut) =>
          html`<li>
            <span>${cut.workload}</span>
            <span class="soft">value ${cut.value}</span>
            <span class="numeric">${money(parse(cut.saved), budget.currency)} saved</span>
            ${cut.undo ? html`<span class="soft why">Undo: <code>${cut.undo}</code></span>` : nothing}
          </li>`,
      )}
    </ul>`;
}

function list(app: App, all: Budget[], shown: Budget | undefined): TemplateResult {
  const columns: Column<Budget>[] = [
    {
      id: "budget",
      head: "Budget",
      cell: (one) =>
        html`<a href=${changed(app.route, { budget: one.budget })}>${one.budget}</a><br /><small
            >${scopeOf(one)}</small
          >`,
      sort: (one) => one.budget,
      csv: (one) => one.budget,
    },
    { id: "bar", head: "Spent, held, limit", cell: bar, wide: true },
    {
      id: "share",
      head: "Exposure",
      title: "spent, committed and reserved, over the limit",
      numeric: true,
      cell: (one) => {
        const share = exposure(one);
        return share === null ? unknown(GPU_HOURS) : percent(share);
      },
      sort: exposure,
      csv: exposure,
    },
    {
      id: "left",
      head: "Left",
      numeric: true,
      cell: (one) => money(parseOrNull(one.left), one.currency, 2, GPU_HOURS),
      sort: (one) => parseOrNull(one.left),
      csv: (one) => one.left,
    },
    {
      id: "limit",
      head: "Limit",
      numeric: true,
      wide: true,
      cell: (one) =>
        one.limit === null && one.gpu_hours_limit !== null
          ? `${count(one.gpu_hours_limit)} GPU-h`
          : money(parseOrNull(one.limit), one.currency, 2, "it has no limit"),
      sort: (one) => parseOrNull(one.limit),
      csv: (one) => one.limit,
    },
    {
      id: "rung",
      head: "Rung",
      cell: (one) => (one.rung ? badge("warn", one.rung) : html`<span class="soft">none</span>`),
      sort: (one) => one.rung,
      csv: (one) => one.rung,
    },
  ];
  return table(app, {
    id: "budgets",
    label: "Budgets",
    columns,
    rows: all,
    key: (one) => one.budget,
    sort: "-share",
    empty: empty("No budget is set.", "A manifest with kind: Budget sets one."),
    chosen: (one) => one === shown,
  });
}

function bar(budget: Budget): TemplateResult | typeof nothing {
  const limit = parseOrNull(budget.limit);
  if (limit === null || limit === 0n) return nothing;
  const held = parse(budget.committed) + parse(budget.reserved);
  const rungs = rungsOf(budget).map((rung) => rung.at);
  return html`<div class="bar">
    ${budgetBar({ spent: parse(budget.spent), held }, limit, budget.budget, rungs)}
  </div>`;
}
