/** One budget: its facts, its ladder, what would be cut, what holds it, and another limit tried. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { Budget, Relief } from "../api/budget-types.ts";
import { valueOf } from "../api/cache.ts";
import type { Page, Tick } from "../api/types.ts";
import type { App } from "../app.ts";
import { burn, pointsOf } from "../charts/burn.ts";
import { parse, parseOrNull, plain } from "../money/decimal.ts";
import { fixed, percent, plural } from "../money/number.ts";
import { field } from "../parts/controls.ts";
import { figure } from "../parts/figure.ts";
import { when } from "../parts/state.ts";
import { badge, money, time, unknown } from "../parts/text.ts";
import { href } from "../router.ts";

export function detail(app: App, budget: Budget): TemplateResult {
  const at = now(app);
  const { period } = budget;
  const span =
    period.name === "rolling"
      ? html`rolling, over ${spanOf(budget)} at every moment`
      : html`${period.name} of ${time(app, period.from, "day")} to ${time(app, period.to, "day")}`;
  return html`<section class="card" aria-labelledby="h-one">
    <h2 id="h-one">
      ${budget.budget}
      <small
        >${budget.scope}${budget.parent ? html`, in ${budget.parent}` : nothing}, ${span},
        ${budget.hard ? "hard" : "soft"}</small
      >
    </h2>
    ${facts(budget)} ${why(app, budget)}
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
    ${ladder(budget)} ${relief(budget, "What its ladder takes away")} ${cuts(app, budget)}
    ${drivers(budget)} ${simulation(app, budget)}
  </section>`;
}

function now(app: App): number {
  const at = valueOf(app.read<Tick>("/tick", 60_000))?.at;
  return at ? Date.parse(at) : Date.now();
}

/** The wire has as many days to come as there are days behind. */
function spanOf(budget: Budget): string {
  const length_ms = Date.parse(budget.period.to) - Date.parse(budget.period.from);
  return plural(Math.round(length_ms / 2 / 86_400_000), "day");
}

function forecastNote(budget: Budget): string {
  const { forecast } = budget;
  if (budget.gpu_hours_limit !== null) return "This is its money; its limit is in GPU-hours.";
  if (!forecast) return "No forecast: there is too little history for one.";
  const tried =
    forecast.tried === 0
      ? "no past week could be tried"
      : `of ${forecast.tried} past weeks, ${forecast.held} came within such a band`;
  return `The band holds 8 of 10 ends of the period, the dashed line is the middle one; ${tried}.`;
}

const fact = (name: string, value: unknown): TemplateResult =>
  html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;

function facts(budget: Budget): TemplateResult {
  const { currency } = budget;
  return html`<dl class="facts">
    ${fact("Limit", limit(budget))} ${fact("Spent", held(budget, budget.spent, budget.gpu_hours))}
    ${fact("Committed", held(budget, budget.committed, budget.gpu_hours_committed))}
    ${fact("Reserved", held(budget, budget.reserved, budget.gpu_hours_reserved))}
    ${fact("Left", left(budget))}
    ${
      budget.gpu_hours_limit === null
        ? fact("GPU-hours", fixed(budget.gpu_hours))
        : fact(`Posted, ${currency}`, money(parse(budget.spent), currency))
    }
    ${fact("Gone", budget.gone === null ? unknown("it has no limit") : percent(budget.gone))}
    ${fact("Runs out", runsOut(budget))}
    ${fact(
      "Forecast at the end",
      money(parseOrNull(budget.forecast?.p50), currency, 2, "too little history for a forecast"),
    )}
  </dl>`;
}

/** A part of it in the unit of its limit. */
export function held(budget: Budget, amount: string, gpu_hours: number): TemplateResult {
  if (budget.gpu_hours_limit !== null) return hours(gpu_hours);
  return money(parse(amount), budget.currency);
}

const hours = (amount: number): TemplateResult =>
  html`<span class="num">${fixed(amount)} GPU-h</span>`;

function left(budget: Budget): TemplateResult {
  if (budget.gpu_hours_left !== null) {
    const over = budget.gpu_hours_left < 0 ? badge("warn", "over") : nothing;
    return html`${hours(budget.gpu_hours_left)} ${over}`;
  }
  const left = parseOrNull(budget.left);
  const over = left !== null && left < 0n ? badge("warn", "over") : nothing;
  return html`${money(left, budget.currency)} ${over}`;
}

const leftOnly = (budget: Budget) =>
  budget.gpu_hours_left === null
    ? money(parseOrNull(budget.left), budget.currency)
    : hours(budget.gpu_hours_left);

function runsOut(budget: Budget): TemplateResult | string {
  if (budget.runs_out) return budget.runs_out;
  if (budget.gpu_hours_limit !== null) return unknown("only a limit in money has a forecast");
  return budget.forecast ? "not in it" : unknown("too little history for a usual pace");
}

export function limit(budget: Budget): TemplateResult {
  if (budget.gpu_hours_limit !== null) {
    return html`<span class="num">${fixed(budget.gpu_hours_limit, 0)} GPU-h</span>`;
  }
  return money(parseOrNull(budget.limit), budget.currency, 2, "it has no limit");
}

/** Why this period's limit is another than the usual one. */
function why(app: App, budget: Budget): TemplateResult | typeof nothing {
  const { allowed, carried } = budget;
  const base = inUnit(budget, budget.base);
  return html`${
    carried === null
      ? nothing
      : html`<p class="note">
          Of the limit, ${inUnit(budget, carried)} were left by the period before; by itself it is
          ${base}.
        </p>`
  }
  ${
    allowed === null
      ? nothing
      : html`<p class="note">
          ${badge("plain", "override")} ${allowed.by} allowed this limit
          ${allowed.until ? html`until ${time(app, allowed.until)}` : "for good"}: “${allowed.why}”.
          Without it, it is ${base}.
        </p>`
  }`;
}

function inUnit(budget: Budget, amount: string): TemplateResult {
  if (budget.gpu_hours_limit !== null) return html`${fixed(Number(amount), 0)} GPU-h`;
  return money(parse(amount), budget.currency);
}

/** Its rungs, each with how much of it is done without a person. */
function ladder(budget: Budget): TemplateResult | typeof nothing {
  if (budget.escalate.length === 0) return nothing;
  const gone = budget.gone ?? 0;
  return html`<h3>Its ladder</h3>
    <ol class="rows ladder">
      ${budget.escalate.map(
        (rung) =>
          html`<li>
            <span class="num at">${percent(rung.at, 0)}</span>
            <span class="what">${rung.do}</span>
            <span class="soft">${MODES[rung.mode] ?? rung.mode}</span>
            ${gone >= rung.at ? badge("warn", "reached") : badge("plain", "not reached")}
          </li>`,
      )}
    </ol>`;
}

const MODES: Record<string, string> = {
  observe: "only noted",
  recommend: "recommended, and not done",
  approve: "done when somebody approves it",
  enforce: "done by itself",
};

/** The cuts that lose least, with what each is worth and how it is taken back. */
function relief(budget: Budget, title: string): TemplateResult | typeof nothing {
  const { relief, currency } = budget;
  if (!relief) return nothing;
  return html`<h3>${title}</h3>
    <p class="note">
      ${inUnit(budget, relief.need)} ${budget.gpu_hours_limit === null ? currency : nothing} have to
      be free again.
      ${relief.enough ? "The cuts free that much." : badge("warn", "all cuts do not free that much")}
      ${relief.proven ? "Nothing that frees as much loses less." : "Less may be enough."}
    </p>
    <ul class="rows">
      ${relief.cuts.map((cut) => reliefCut(cut, currency))}
    </ul>`;
}

function reliefCut(cut: Relief["cuts"][number], currency: string): TemplateResult {
  const undo = cut.step
    ? html`<a href=${href("plan", { step: cut.step })}>step ${cut.step}</a>, undone on its page`
    : "nothing is done yet";
  const how =
    cut.do === "scale"
      ? `${cut.replicas_from} to ${cut.replicas_to} replicas on ${cut.offer}; ` +
        `${percent(cut.carried ?? 0, 1)} of its requests carried`
      : "suspended";
  return html`<li>
    <span>${cut.workload}</span>
    <span class="soft">${how}</span>
    <span class="numeric"
      >${cut.frees_gpu_hours === null ? nothing : `${fixed(Number(cut.frees_gpu_hours))} GPU-h, `}
      ${money(parse(cut.frees), currency)} freed</span
    >
    <span class="soft"
      >loses ${money(parse(cut.loses), currency)} and value ${cut.loses_value}</span
    >
    <span class="soft why">${undo}</span>
  </li>`;
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

function drivers(budget: Budget): TemplateResult | typeof nothing {
  if (budget.drivers.length === 0) return nothing;
  return html`<h3>What holds it and is not spent yet</h3>
    <ul class="rows">
      ${budget.drivers.map(
        (one) =>
          html`<li>
            <span>${one.what}</span>
            <span class="numeric">${money(parse(one.amount), budget.currency)}</span>
            <span class="soft why">${givenBack(one.undo)}</span>
          </li>`,
      )}
    </ul>`;
}

/** `settle c7`, or `undo p1-2, p1-3`. */
function givenBack(undo: string): TemplateResult {
  const steps = undo.startsWith("undo ") ? undo.slice(5).split(", ") : [];
  if (steps.length === 0) return html`given back by <code>farthing budget ${undo}</code>`;
  const link = (step: string) => html` <a href=${href("plan", { step })}>${step}</a>`;
  return html`given back by undoing${steps.map(link)}`;
}

/** Another limit, worked out by the server and changed by nobody. */
function simulation(app: App, budget: Budget): TemplateResult {
  const tried = app.route.query.get("try");
  const hours = budget.gpu_hours_limit !== null;
  const example = hours ? "500 GPU-hours" : `1500 ${budget.currency}`;
  const good = hours ? /^\d+(\.\d+)? GPU-hours$/ : /^\d+(\.\d+)? [A-Z]{3}$/;
  return html`<h3 id="h-try">If the limit were</h3>
    <div class="controls" role="group" aria-labelledby="h-try">
      ${field(app, "try", "Another limit", { placeholder: example })}
    </div>
    ${
      tried === null
        ? html`<p class="note">Nothing is changed by trying one.</p>`
        : good.test(tried)
          ? outcome(app, budget, tried)
          : html`<p class="state refused" role="alert">
              “${tried}” is not a limit of it; write it like ${example}.
            </p>`
    }`;
}

function outcome(app: App, budget: Budget, tried: string): TemplateResult | typeof nothing {
  const body = { limits: { [budget.budget]: tried } };
  return when(app.ask<Page<Budget>>("/budgets/simulate", body), ({ items }) => {
    const found = items.find((one) => one.budget === budget.budget);
    return found ? compared(budget, found) : nothing;
  });
}

function compared(is: Budget, would: Budget): TemplateResult {
  const row = (name: string, of: (budget: Budget) => unknown) =>
    html`<tr>
      <th scope="row">${name}</th>
      <td class="numeric">${of(is)}</td>
      <td class="numeric">${of(would)}</td>
    </tr>`;
  return html`<div class="scroll" role="region" aria-label="Another limit, table" tabindex="0">
      <table>
        <caption class="hidden">
          As it is, and with the limit that is tried
        </caption>
        <thead>
          <tr>
            <th scope="col">Budget</th>
            <th scope="col" class="numeric">as it is</th>
            <th scope="col" class="numeric">tried</th>
          </tr>
        </thead>
        <tbody>
          ${row("Limit", limit)}
          ${row("Gone", (one) => (one.gone === null ? unknown("no limit") : percent(one.gone)))}
          ${row("Left", leftOnly)} ${row("Rung", (one) => one.rung ?? "none")}
          ${row("Runs out", runsOut)}
        </tbody>
      </table>
    </div>
    ${relief(would, "What its ladder would then take away")}`;
}
