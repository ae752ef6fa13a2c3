/** Plan: what to do, who decides about it, what runs where, what waits, and the plans before. */
import { html, nothing, type TemplateResult } from "lit-html";
import { type Loadable, valueOf } from "../api/cache.ts";
import { path } from "../api/client.ts";
import { type Amount, planOf, type PlanRecord } from "../api/records.ts";
import type { Cut, JournalRecord, Page, Placement, Plan, Step, Waiting } from "../api/types.ts";
import type { App } from "../app.ts";
import { gantt, LANES } from "../charts/gantt.ts";
import { format, parse } from "../money/decimal.ts";
import { count, plural } from "../money/number.ts";
import { type Choice, chosen, select } from "../parts/controls.ts";
import { derive } from "../parts/derive.ts";
import { figure } from "../parts/figure.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, money, seesAll, time } from "../parts/text.ts";
import { href } from "../router.ts";
import { planLead } from "./plan-parts.ts";
import { stepDialog, stepsTable } from "./steps.ts";

const ROWS: Choice = {
  name: "rows",
  label: "Rows",
  first: "machine",
  values: [
    ["machine", "machines"],
    ["workload", "workloads"],
  ],
};

export function plan(app: App): TemplateResult {
  const plan = app.read<Plan>("/plan", 2_000);
  const steps = app.read<Page<Step>>(path("/steps", { limit: 500 }), 2_000);
  const past = app.read<Page<JournalRecord>>(path("/plans", { limit: 50 }), 5_000);
  const old = app.route.query.get("plan");
  return html`<h1 id="title" tabindex="-1">Plan${old ? html` ${old}` : nothing}</h1>
    ${
      old
        ? oldPlan(app, past, old)
        : html`${when(plan, (plan) => lead(app, plan))} ${stepsCard(app, steps)}
          ${when(plan, (plan) => body(app, plan))}`
    }
    <section class="card" aria-labelledby="h-past">
      <h2 id="h-past">Plans before</h2>
      ${when(past, (past) => pastPlans(app, plansOf(past)))}
    </section>
    ${stepDialog(app, valueOf(steps)?.items ?? [])}`;
}

function lead(app: App, plan: Plan): TemplateResult {
  const used = Object.entries(plan.offers_used);
  return html`<section class="card" aria-labelledby="h-lead">
    <h2 id="h-lead">
      Plan ${plan.plan} <small>made ${time(app, plan.at, "second")} by ${plan.policy}</small>
    </h2>
    ${planLead(app, plan)}
    <p class="note">
      ${plural(plan.steps.length, "step")}, ${plural(plan.placements.length, "placement")},
      ${plan.waiting.length} waiting.
      ${
        used.length > 0
          ? html`At most at once: ${used.map(([name, nodes]) => `${nodes} x ${name}`).join(", ")}.`
          : nothing
      }
      ${
        plan.prices
          ? html`Prices of ${plan.prices.oldest} to ${plan.prices.newest}
            (${plan.prices.sources.join(", ")}).`
          : nothing
      }
      ${plan.solver.limit ? html`The solver stopped at its limit: ${plan.solver.limit}.` : nothing}
    </p>
  </section>`;
}

function stepsCard(app: App, steps: Loadable<Page<Step>>): TemplateResult {
  return html`<section class="card" aria-labelledby="h-steps">
    <h2 id="h-steps">Steps to decide and steps in force</h2>
    ${when(steps, (steps) => stepsTable(app, steps.items))}
  </section>`;
}

function body(app: App, plan: Plan): TemplateResult {
  return html`<section class="card" aria-labelledby="h-runs">
      <h2 id="h-runs">What runs where and when</h2>
      ${runs(app, plan)}
    </section>
    ${binds(plan)}
    <div class="columns">
      <section class="card" aria-labelledby="h-waiting">
        <h2 id="h-waiting">What waits, and why</h2>
        ${waiting(app, plan.waiting)}
      </section>
      <section class="card" aria-labelledby="h-cuts">
        <h2 id="h-cuts">What budgets took away</h2>
        ${cuts(app, plan.cuts, plan.currency)}
      </section>
    </div>`;
}

function runs(app: App, plan: Plan): TemplateResult {
  if (plan.placements.length === 0) return empty("Nothing runs", "and nothing is to start.");
  const rows = chosen(app, ROWS) === "workload" ? "workload" : "machine";
  const chart = gantt(plan.placements, {
    key: plan.plan,
    rows,
    currency: plan.currency,
    zone: app.settings.zone,
    picked: (placement) => {
      const filter = `workload:"${placement.workload.replaceAll('"', "")}"`;
      app.go(href("cost", { by: "node", filter }));
    },
  });
  const more = plan.placements.length > LANES ? `The first ${LANES} lanes are drawn. ` : "";
  return html`<div class="controls">${select(app, ROWS)}</div>
    ${figure({
      id: `plan-${plan.plan}`,
      title: "Placements over time",
      picture: chart,
      note: `${more}Filled: it runs already. Outlined with a mark: it starts with this plan.`,
      sheet: () => ({
        head: ["workload", "offer", "members", "nodes_each", "start", "end", "cost", "stays"],
        rows: plan.placements.map((one) => [
          one.workload,
          one.offer,
          one.count,
          one.nodes_each,
          one.start,
          one.end,
          one.cost,
          String(one.stays),
        ]),
      }),
    })}
    <details>
      <summary>${plural(plan.placements.length, "placement")} as a table</summary>
      ${placements(app, plan)}
    </details>`;
}

function placements(app: App, plan: Plan): TemplateResult {
  const columns: Column<Placement>[] = [
    {
      id: "workload",
      head: "Workload",
      cell: (one) => one.workload,
      sort: (one) => one.workload,
      csv: (one) => one.workload,
    },
    { id: "offer", head: "Where", cell: (one) => one.offer ?? "quoted from outside", wide: true },
    {
      id: "start",
      head: "From",
      cell: (one) => time(app, one.start),
      sort: (one) => one.start,
      csv: (one) => one.start,
    },
    {
      id: "end",
      head: "To",
      cell: (one) => time(app, one.end),
      sort: (one) => one.end,
      csv: (one) => one.end,
    },
    {
      id: "cost",
      head: plan.currency,
      numeric: true,
      cell: (one) => money(parse(one.cost), plan.currency),
      sort: (one) => parse(one.cost),
      csv: (one) => one.cost,
    },
  ];
  return table(app, {
    id: "placements",
    label: "Placements",
    columns,
    rows: plan.placements,
    key: (one) => `${one.workload} ${one.offer} ${one.start}`,
    empty: empty("No placements.", ""),
  });
}

/** What would have to give way for a better plan, and how much better. */
function binds(plan: Plan): TemplateResult | typeof nothing {
  const all = plan.binding ?? [];
  if (all.length === 0) return nothing;
  return html`<section class="card" aria-labelledby="h-binds">
    <h2 id="h-binds">What binds the plan, and what slack would be worth</h2>
    <ul class="rows">
      ${all.map(
        (one) =>
          html`<li>
            <span>${one.constraint} ${one.of}</span>
            <span class="soft">with ${one.slack}</span>
            <span class="numeric">cost ${money(parse(one.cost_change), plan.currency)}</span>
            <span class="soft why"
              >value ${one.value_change}, ${plural(one.members_change, "member")} more
              placed${one.exact ? "" : "; one of the two plans is not proven optimal"}</span
            >
          </li>`,
      )}
    </ul>
  </section>`;
}

function waiting(app: App, rows: readonly Waiting[]): TemplateResult {
  const columns: Column<Waiting>[] = [
    {
      id: "workload",
      head: "Workload",
      cell: (one) => html`${one.workload} ${one.late ? badge("warn", "late") : nothing}`,
      sort: (one) => one.workload,
      csv: (one) => one.workload,
    },
    {
      id: "members",
      head: "Members",
      numeric: true,
      cell: (one) => count(one.members),
      sort: (one) => one.members,
      csv: (one) => one.members,
    },
    { id: "reason", head: "Why", cell: (one) => one.reason, csv: (one) => one.reason },
  ];
  return table(app, {
    id: "waiting",
    label: "What waits",
    columns,
    rows,
    key: (one) => `${one.workload} ${one.kind}`,
    page: 10,
    empty: empty("Nothing waits.", "All that was asked for is placed."),
  });
}

function cuts(app: App, rows: readonly Cut[], currency: string): TemplateResult {
  if (rows.length === 0) return empty("Nothing.", "All budgets have room for what was asked.");
  return html`<ul class="rows">
    ${rows.map(
      (cut) =>
        html`<li>
          <span>${cut.workload}</span>
          <a href=${href("budgets", { budget: cut.budget })}>${cut.budget}</a>
          <span class="numeric">${format(parse(cut.saved))} ${currency} not spent</span>
          <span class="soft why"
            >${plural(cut.members, "member")} wait, value ${cut.value} is not
            done${cut.retry ? html`; again at ${time(app, cut.retry)}` : nothing}</span
          >
        </li>`,
    )}
  </ul>`;
}

function oldPlan(app: App, past: Loadable<Page<JournalRecord>>, id: string): TemplateResult {
  const page = valueOf(past);
  const found = page && plansOf(page).find((one) => one.plan === id);
  return html`<p class="note"><a href=${href("plan")}>Back to the newest plan</a></p>
    ${when(past, () =>
      found ? oldSteps(app, found) : empty(`Plan ${id} is not among those kept.`, ""),
    )}`;
}

function plansOf(page: Page<JournalRecord>): PlanRecord[] {
  return derive(page, "plans", () => page.items.map(planOf));
}

/** What the journal has as `12.34 USD`. */
function recorded(amount: Amount | null, why: string): TemplateResult {
  return money(amount && parse(amount.number), amount?.currency ?? "", 2, why);
}

function noCost(app: App): string {
  return seesAll(app)
    ? "the record has no cost"
    : "the record is older than the cost of each team in it";
}

function oldSteps(app: App, plan: PlanRecord): TemplateResult {
  return html`<section class="card" aria-label="Steps of the plan">
    <p class="note">
      Made ${time(app, plan.at, "second")} by ${plan.policy}, ${plan.status}, cost
      ${recorded(plan.cost, noCost(app))} ${plan.cost?.currency ?? ""}.
    </p>
    <ul class="rows">
      ${plan.steps.map(
        (step) =>
          html`<li>
            <a href=${href("plan", { plan: plan.plan, step: step.id })}
              >${step.action} ${step.target}</a
            >
            <span class="numeric">saves ${recorded(step.saving, "the record has no saving")}</span>
            <span class="soft why">${step.offer ?? ""}</span>
            ${step.reasons.map((reason) => html`<span class="soft why">${reason}</span>`)}
          </li>`,
      )}
      ${plan.steps.length === 0 ? html`<li>No steps.</li>` : nothing}
    </ul>
  </section>`;
}

function pastPlans(app: App, rows: PlanRecord[]): TemplateResult {
  const columns: Column<PlanRecord>[] = [
    {
      id: "plan",
      head: "Plan",
      cell: (one) => html`<a href=${href("plan", { plan: one.plan })}>${one.plan}</a>`,
      csv: (one) => one.plan,
    },
    {
      id: "at",
      head: "Made",
      cell: (one) => time(app, one.at, "second"),
      sort: (one) => one.at,
      csv: (one) => one.at,
    },
    { id: "status", head: "Status", wide: true, cell: (one) => one.status },
    {
      id: "cost",
      head: "Cost",
      numeric: true,
      cell: (one) => recorded(one.cost, noCost(app)),
      sort: (one) => (one.cost ? parse(one.cost.number) : null),
      csv: (one) => one.cost?.number ?? null,
    },
    {
      id: "bound",
      head: "Proven least",
      numeric: true,
      wide: true,
      cell: (one) => recorded(one.lower_bound, "no bound was proven"),
      csv: (one) => one.lower_bound?.number ?? null,
    },
    {
      id: "steps",
      head: "Steps",
      numeric: true,
      cell: (one) => count(one.steps.length),
      sort: (one) => one.steps.length,
      csv: (one) => one.steps.length,
    },
  ];
  return table(app, {
    id: "plans",
    label: "Plans before",
    columns,
    rows,
    key: (one) => one.plan,
    page: 10,
    empty: empty("No plan was made yet.", "The first one comes with the first turn of the loop."),
    chosen: (one) => one.plan === app.route.query.get("plan"),
  });
}
