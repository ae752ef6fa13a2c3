/** Now: what is paid per hour, where it goes, the bands, the plan, what is unknown. */
import { html, nothing, type TemplateResult } from "lit-html";
import { type Loadable, valueOf } from "../api/cache.ts";
import { path } from "../api/client.ts";
import type { Cost, Plan, Tick } from "../api/types.ts";
import type { App } from "../app.ts";
import { seriesOfPlaces, sheetOfPlaces } from "../charts/series.ts";
import { spansOf } from "../charts/spans.ts";
import { format, parse, type Pico, perHour, plain, sum } from "../money/decimal.ts";
import { duration, percent, plural } from "../money/number.ts";
import { seconds } from "../money/time.ts";
import { anomaliesBrief } from "../parts/anomalies.ts";
import { bands } from "../parts/bands.ts";
import { figure } from "../parts/figure.ts";
import { type Amounts, amountsOf, PLACES, placesBar, placesTable } from "../parts/places.ts";
import { when } from "../parts/state.ts";
import { badge, money, seesAll, time } from "../parts/text.ts";
import { href } from "../router.ts";
import { budgetLines, planLead, stepsBrief, waitingList } from "./plan-parts.ts";

/** One request for the sums of the day and for its hours. */
const LAST_DAY = path("/cost", { window: "24h", by: "resource", step: "1h" });

export function now(app: App): TemplateResult {
  const tick = app.read<Tick>("/tick", 60_000);
  const plan = app.read<Plan>("/plan", 2_000);
  return html`<h1 id="title" tabindex="-1">Now</h1>
    ${when(tick, (tick) => head(app, tick))}
    <div class="columns">
      <div class="stack">
        <section class="card" aria-labelledby="h-plan">
          <h2 id="h-plan">The plan</h2>
          ${when(plan, (plan) => planCard(app, plan))}
        </section>
        <section class="card" aria-labelledby="h-unknown">
          <h2 id="h-unknown">What is unknown</h2>
          ${unknowns(app, valueOf(tick), valueOf(plan))}
        </section>
      </div>
      <div class="stack">
        <section class="card" aria-labelledby="h-bands">
          <h2 id="h-bands">Target bands</h2>
          ${when(plan, (plan) => bands(app, plan.utilisation))}
        </section>
        <section class="card" aria-labelledby="h-budgets">
          <h2 id="h-budgets">Budgets nearest to their limit</h2>
          ${when(plan, (plan) => budgetLines(plan.budgets, plan.currency))}
          <p class="more"><a href=${href("budgets")}>All budgets</a></p>
        </section>
      </div>
    </div>`;
}

function head(app: App, tick: Tick): TemplateResult {
  const hour = hourly(tick);
  const day = app.read<Cost>(LAST_DAY, 10_000);
  const whole = hour && sum(PLACES.map((place) => hour[place]));
  return html`<section class="card" aria-labelledby="h-paid">
    <div class="lead">
      <h2 id="h-paid" class="hidden">What is paid</h2>
      <p class="figure">
        ${money(whole, tick.currency, 2, "no time was measured yet")}
        <span class="unit">${tick.currency} per hour</span>
      </p>
      <p class="soft">
        ${
          tick.window
            ? html`measured over ${duration(seconds(tick.window))} to ${time(app, tick.window.to)}`
            : "the first turn of the loop measures nothing yet"
        }
        · ${plural(tick.world.nodes, "node")}, ${tick.world.nodes_ready} ready ·
        ${tick.world.workloads.placed} running, ${tick.world.workloads.waiting} waiting ·
        ${tick.coverage === null ? "coverage unknown" : `${percent(tick.coverage, 0)} measured`}
      </p>
    </div>
    ${anomaliesBrief(app)} ${places(app, hour, tick, day)}
  </section>`;
}

/** The places per hour, from what was measured in the last window. */
function hourly(tick: Tick): Amounts | null {
  if (!tick.window) return null;
  const span_s = seconds(tick.window);
  const amounts = amountsOf(tick);
  const each = PLACES.map((place) => [place, perHour(amounts[place], span_s)] as const);
  if (each.some(([, amount]) => amount === null)) return null;
  return Object.fromEntries(each) as Amounts;
}

function places(app: App, hour: Amounts | null, tick: Tick, day: Loadable<Cost>): TemplateResult {
  const cost = valueOf(day);
  const columns = [
    { head: "per hour, now", amounts: hour, why: "no time was measured yet" },
    { head: "last 24 h", amounts: cost && amountsOf(cost), why: "not read yet" },
  ];
  const now = hour ?? { used: 0n, idle: 0n, unallocated: 0n, overhead: 0n };
  const sheet = () => ({
    head: ["place", `${tick.currency}_per_hour`],
    rows: PLACES.map((place) => [place, plain(now[place])]),
  });
  return html`${figure({
      id: "now-places",
      title: "Where it goes",
      picture: hour
        ? placesBar(hour, tick.currency)
        : html`<p class="state">No window was measured yet.</p>`,
      sheet,
    })}
    <div class="side-by-side">
      ${placesTable(columns, tick.currency)} ${when(day, (day) => history(app, day))}
    </div>
    ${difference(parse(tick.difference), tick.currency)}`;
}

/** Books that do not add up are at fault, and that is said first. */
function difference(amount: Pico, currency: string): TemplateResult | typeof nothing {
  if (amount === 0n) return nothing;
  return html`<p class="state refused" role="alert">
    The books are at fault: ${format(amount, 12)} ${currency} of what is paid is in no place.
  </p>`;
}

function history(app: App, day: Cost): TemplateResult | typeof nothing {
  const spans = spansOf(day);
  if (spans.length < 2) return nothing;
  return figure({
    id: "now-last-day",
    title: "The last 24 hours",
    picture: seriesOfPlaces(spans, {
      key: "now-last-day",
      currency: day.currency,
      zone: app.settings.zone,
      height: 210,
    }),
    sheet: () => sheetOfPlaces(spans),
  });
}

function planCard(app: App, plan: Plan): TemplateResult {
  return html`${planLead(app, plan)} ${stepsBrief(plan)} ${waitingList(plan.waiting, 4)}
    <p class="more"><a href=${href("plan")}>The whole plan</a></p>`;
}

const STALE_S = 120;

function unknowns(app: App, tick: Tick | null, plan: Plan | null): TemplateResult {
  const said: string[] = [...(plan?.unknown ?? []), ...(tick?.notes ?? [])];
  // A plan says the same; without one somebody has to.
  if (!seesAll(app) && !plan) {
    said.push("what is unknown of the whole cluster is not shown to a team");
  }
  for (const { part, age_s } of tick?.world.ages ?? []) {
    if (age_s > STALE_S) said.push(`${part} were observed ${duration(age_s)} ago`);
  }
  for (const step of tick?.unknown ?? []) {
    said.push(`whether step ${step} took effect is not known`);
  }
  if (tick && tick.coverage !== null && tick.coverage < 1) {
    said.push(`${percent(1 - tick.coverage)} of the paid time was not measured`);
  }
  const day = valueOf(app.read<Cost>(LAST_DAY));
  for (const { node, why } of day?.unpriced ?? []) said.push(`no price for ${node}: ${why}`);
  if (said.length === 0) {
    const text = tick ? badge("good", "Nothing: all parts were observed and priced") : "Loading.";
    return html`<p>${text}</p>`;
  }
  return html`<ul class="plain">
    ${said.map((one) => html`<li>${one}</li>`)}
  </ul>`;
}
