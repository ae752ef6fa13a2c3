/** Budgets: how far each is, how it ends, what would break it, what would be cut. */
import { html, nothing, type TemplateResult } from "lit-html";
import { valueOf } from "../api/cache.ts";
import { path } from "../api/client.ts";
import type { Budget, Page, Tick } from "../api/types.ts";
import type { App } from "../app.ts";
import { burn, pointsOf } from "../charts/burn.ts";
import { parse, parseOrNull, plain } from "../money/decimal.ts";
import { fixed, percent, plural } from "../money/number.ts";
import { budgetBar } from "../parts/budget-bar.ts";
import { derive } from "../parts/derive.ts";
import { figure } from "../parts/figure.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, money, time, unknown } from "../parts/text.ts";
import { changed } from "../router.ts";

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

function nearest(all: Budget[]): Budget | undefined {
  return derive(all, "nearest", () => [...all].sort((a, b) => (b.gone ?? -1) - (a.gone ?? -1)))[0];
}

function detail(app: App, budget: Budget): TemplateResult {
  const now = valueOf(app.read<Tick>("/tick", 60_000))?.at;
  const at = now ? Date.parse(now) : Date.now();
  return html`<section class="card" aria-labelledby="h-one">
    <h2 id="h-one">
      ${budget.budget}
      <small
        >${budget.scope}, ${budget.period.name} of ${time(app, budget.period.from, "day")} to
        ${time(app, budget.period.to, "day")}, ${budget.hard ? "hard" : "soft"}</small
      >
    </h2>
    ${facts(budget)}
    ${figure({
      id: `budget-${budget.budget}`,
      title: "Burn-down and forecast",
      picture: burn(budget, at, app.settings.zone),
      note: forecastNote(budget),
      sheet: () => ({
        head: ["at", "spent"],
        rows: pointsOf(budget, at).map((one) => [new Date(one.at).toISOString(), plain(one.spent)]),
      }),
    })}
    ${rungs(budget)} ${cuts(app, budget)}
  </section>`;
}

function forecastNote(budget: Budget): string {
  const { forecast } = budget;
  if (!forecast) return "No forecast: there is too little history for one.";
  const tried =
    forecast.tried === 0
      ? "no past week could be tried"
      : `of ${forecast.tried} past weeks, ${forecast.held} came within such a band`;
  return `The band holds 8 of 10 ends of the period, the dashed line is the middle one; ${tried}.`;
}

function facts(budget: Budget): TemplateResult {
  const { currency } = budget;
  const left = parseOrNull(budget.left);
  const fact = (name: string, value: unknown) =>
    html`<div>
      <dt>${name}</dt>
      <dd>${value}</dd>
    </div>`;
  return html`<dl class="facts">
    ${fact("Limit", limit(budget))} ${fact("Spent", money(parse(budget.spent), currency))}
    ${fact("Committed", money(parse(budget.committed), currency))}
    ${fact("Reserved", money(parse(budget.reserved), currency))}
    ${
      budget.gpu_hours_limit === null
        ? fact(
            "Left",
            html`${money(left, currency)}
            ${left !== null && left < 0n ? badge("warn", "over") : nothing}`,
          )
        : fact("GPU-hours", fixed(budget.gpu_hours))
    }
    ${fact("Gone", budget.gone === null ? unknown("it has no limit") : percent(budget.gone))}
    ${fact("Runs out", runsOut(budget))}
    ${fact(
      "Forecast at the end",
      money(parseOrNull(budget.forecast?.p50), currency, 2, "too little history for a forecast"),
    )}
  </dl>`;
}

function runsOut(budget: Budget): TemplateResult | string {
  if (budget.runs_out) return budget.runs_out;
  return budget.forecast ? "not in it" : unknown("too little history for a usual pace");
}

function limit(budget: Budget): TemplateResult {
  if (budget.gpu_hours_limit !== null) {
    return html`<span class="num">${fixed(budget.gpu_hours_limit, 0)} GPU-h</span>`;
  }
  return money(parseOrNull(budget.limit), budget.currency, 2, "it has no limit");
}

function rungs(budget: Budget): TemplateResult | typeof nothing {
  if (budget.escalate.length === 0) return nothing;
  return html`<p class="note">
    Escalation: ${budget.escalate.map((rung) => `at ${percent(rung.at, 0)} ${rung.do}`).join(", ")}.
    ${budget.rung ? html`Now at ${badge("warn", budget.rung)}.` : "None is reached."}
  </p>`;
}

/** What the newest plan left out for it, the least work lost for the money first. */
function cuts(app: App, budget: Budget): TemplateResult | typeof nothing {
  const all = budget.cuts;
  if (all.length === 0) return nothing;
  return html`<h3>What the newest plan leaves out for it</h3>
    <ul class="rows">
      ${all.map(
        (cut) =>
          html`<li>
            <span>${cut.workload}</span>
            <span class="soft">${plural(cut.members, "member")}, value ${cut.value}</span>
            <span class="numeric">${money(parse(cut.saved), budget.currency)} not spent</span>
            <span class="soft why"
              >${cut.retry ? html`Again at ${time(app, cut.retry)}` : "It waits for room."}</span
            >
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
            >${one.scope}, ${one.period.name}</small
          >`,
      sort: (one) => one.budget,
      csv: (one) => one.budget,
    },
    { id: "bar", head: "Spent, held, limit", cell: bar, wide: true },
    {
      id: "gone",
      head: "Gone",
      title: "spent, committed and reserved, over the limit",
      numeric: true,
      cell: (one) => (one.gone === null ? unknown("it has no limit") : percent(one.gone)),
      sort: (one) => one.gone,
      csv: (one) => one.gone,
    },
    {
      id: "exposure",
      head: "Exposure",
      title: "spent, committed and reserved",
      numeric: true,
      cell: (one) => money(parse(one.exposure), one.currency),
      sort: (one) => parse(one.exposure),
      csv: (one) => one.exposure,
    },
    {
      id: "limit",
      head: "Limit",
      numeric: true,
      wide: true,
      cell: limit,
      sort: (one) => parseOrNull(one.limit),
      csv: (one) => one.limit,
    },
    {
      id: "rung",
      head: "Rung",
      wide: true,
      cell: (one) => (one.rung ? badge("warn", one.rung) : html`<span class="soft">none</span>`),
      sort: (one) => one.rung,
      csv: (one) => one.rung,
    },
  ];
  return table(app, {
    id: "budgets",
    label: "All budgets",
    columns,
    rows: all,
    key: (one) => one.budget,
    sort: "-gone",
    empty: empty("No budget is set.", "A manifest with kind: Budget sets one."),
    chosen: (one) => one === shown,
  });
}

/** Against its limit in money, or by the part of its GPU-hours that is gone. */
function bar(budget: Budget): TemplateResult | typeof nothing {
  const rungs = budget.escalate.map((rung) => rung.at);
  const whole = parseOrNull(budget.limit);
  if (whole !== null && whole > 0n) {
    const held = parse(budget.committed) + parse(budget.reserved);
    const parts = { spent: parse(budget.spent), held };
    return html`<div class="bar">${budgetBar(parts, whole, budget.budget, rungs)}</div>`;
  }
  if (budget.gone === null) return nothing;
  const gone = BigInt(Math.round(budget.gone * 1e6));
  const parts = { spent: gone, held: 0n };
  return html`<div class="bar">${budgetBar(parts, 1_000_000n, budget.budget, rungs)}</div>`;
}
