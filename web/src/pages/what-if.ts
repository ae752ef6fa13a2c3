/**
 * What-if: the last snapshot planned again under another policy or budget, side by side; or the
 * recorded hours under other choices.
 */
import { html, nothing, type TemplateResult } from "lit-html";
import type { Budget } from "../api/budget-types.ts";
import type { Page, Plan } from "../api/types.ts";
import { valueOf } from "../api/cache.ts";
import type { App } from "../app.ts";
import { bars } from "../charts/bars.ts";
import { format, parse, parseOrNull, type Pico, toNumber } from "../money/decimal.ts";
import { count, percent } from "../money/number.ts";
import { type Choice, chosen, field, select } from "../parts/controls.ts";
import { derive } from "../parts/derive.ts";
import { figure } from "../parts/figure.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, money, ofTheWhole, time, unknown } from "../parts/text.ts";
import { past } from "./past.ts";

const VIEW: Choice = {
  name: "view",
  label: "Of",
  first: "",
  values: [
    ["", "the newest snapshot, planned again"],
    ["history", "recorded history, as it was paid"],
  ],
};

const SPOT: Choice = {
  name: "spot",
  label: "Spot",
  first: "",
  values: [
    ["", "allowed"],
    ["no", "not allowed"],
  ],
};

export function whatIf(app: App): TemplateResult {
  return html`<h1 id="title" tabindex="-1">What-if</h1>
    <div class="controls">${select(app, VIEW)}</div>
    ${chosen(app, VIEW) === "history" ? past(app) : planned(app)}`;
}

function planned(app: App): TemplateResult {
  const asked = question(app);
  const found = asked ? app.ask<Plan>("/what-if", asked) : app.read<Plan>("/what-if", 30_000);
  const now = app.read<Plan>("/plan", 5_000);
  return html`<p class="note">
      The newest snapshot is planned again as you ask. Nothing is recorded and nothing is done.
    </p>
    <div class="controls">
      ${budgetChoice(app)} ${field(app, "limit", "with the limit", { placeholder: "1500 USD" })}
      ${select(app, SPOT)}
      ${field(app, "without", "Without providers", { placeholder: "aws, gcp" })}
    </div>
    ${
      asked && "wrong" in asked
        ? html`<p class="state refused" role="alert">${asked.wrong}</p>`
        : when(found, (found) => page(app, found, valueOf(now)))
    }`;
}

function budgetChoice(app: App): TemplateResult {
  const all = valueOf(app.read<Page<Budget>>("/budgets?limit=500", 30_000))?.items ?? [];
  return select(app, {
    name: "budget",
    label: "Budget",
    first: "",
    values: [["", "none"], ...all.map((one) => [one.budget, one.budget] as const)],
  });
}

type Question = { wrong: string } | Record<string, unknown>;

/** The body of the question in the address; null when nothing is changed. */
function question(app: App): Question | null {
  const { query } = app.route;
  const [budget, limit] = [query.get("budget"), query.get("limit")];
  if (limit && !/^\d+(\.\d+)? [A-Z]{3}$/.test(limit)) {
    return { wrong: `“${limit}” is not an amount; write it like 1500 USD.` };
  }
  if (limit && !budget) return { wrong: "Choose the budget that has this limit." };
  const names = (query.get("without") ?? "").split(",").map((name) => name.trim());
  const without_providers = names.filter((name) => name !== "");
  const body = {
    ...(budget && limit ? { limits: { [budget]: limit } } : {}),
    ...(without_providers.length > 0 ? { without_providers } : {}),
    ...(chosen(app, SPOT) === "no" ? { without_spot: true } : {}),
  };
  return Object.keys(body).length > 0 ? body : null;
}

interface Side {
  name: string;
  plan: Plan;
  kind: "ours" | "other" | "second";
}

function sides(found: Plan, now: Plan | null): Side[] {
  const others = Object.entries(found.baselines).map(([name, plan]): Side => {
    return { name, plan, kind: "other" };
  });
  const ours: Side = { name: found.policy, plan: found, kind: "ours" };
  const before: Side[] = now
    ? [{ name: `${now.policy}, as it is now`, plan: now, kind: "second" }]
    : [];
  return [ours, ...before, ...others];
}

function page(app: App, found: Plan, now: Plan | null): TemplateResult {
  const all = derive(found, `sides ${now?.plan}`, () => sides(found, now));
  const bound = parseOrNull(found.lower_bound);
  return html`<section class="card" aria-labelledby="h-sides">
      <h2 id="h-sides">Policies side by side <small>snapshot of ${time(app, found.at)}</small></h2>
      ${figure({
        id: "what-if",
        title: "What the horizon costs under each",
        picture: bars({
          key: "what-if",
          label: `Cost of ${all.length} policies. The table has the same.`,
          currency: found.currency,
          rows: all.map((side) => ({
            name: side.name,
            value: toNumber(parse(side.plan.cost)),
            text: format(parse(side.plan.cost)),
            more: `${format(parse(side.plan.cost))} ${found.currency}\n${side.plan.waiting.length} waiting`,
            kind: side.kind,
          })),
          ...(bound === null ? {} : { line: { value: toNumber(bound), name: "proven least" } }),
        }),
        note: "A policy that places less may cost less: look at value and at what waits.",
        sheet: () => ({
          head: ["policy", "cost", "value", "waiting", "steps"],
          rows: all.map(({ name, plan }) => [
            name,
            plan.cost,
            plan.value,
            plan.waiting.length,
            plan.steps.length,
          ]),
        }),
      })}
      ${rows(app, all, parse(found.cost))}
    </section>
    ${
      found.waiting.length > 0
        ? html`<section class="card" aria-labelledby="h-waits">
            <h2 id="h-waits">What would wait</h2>
            <ul class="rows">
              ${found.waiting.slice(0, 20).map(
                (one) =>
                  html`<li>
                    <span>${one.workload}</span> ${one.late ? badge("warn", "late") : nothing}
                    <span class="soft why">${one.reason}</span>
                  </li>`,
              )}
            </ul>
          </section>`
        : nothing
    }`;
}

function rows(app: App, all: Side[], ours: Pico): TemplateResult {
  const late = (side: Side) => side.plan.waiting.filter((one) => one.late).length;
  const noGap = ofTheWhole(app, "this policy proves no bound");
  const columns: Column<Side>[] = [
    {
      id: "policy",
      head: "Policy",
      cell: (side) => (side.kind === "ours" ? html`<strong>${side.name}</strong>` : side.name),
      sort: (side) => side.name,
      csv: (side) => side.name,
    },
    {
      id: "cost",
      head: "Cost",
      numeric: true,
      cell: (side) => money(parse(side.plan.cost), side.plan.currency),
      sort: (side) => parse(side.plan.cost),
      csv: (side) => side.plan.cost,
    },
    {
      id: "more",
      head: "More than the first",
      numeric: true,
      wide: true,
      cell: (side) => money(parse(side.plan.cost) - ours, side.plan.currency),
      sort: (side) => parse(side.plan.cost) - ours,
    },
    {
      id: "gap",
      head: "Gap",
      numeric: true,
      wide: true,
      cell: (side) => (side.plan.gap === null ? unknown(noGap) : percent(side.plan.gap, 2)),
      sort: (side) => side.plan.gap,
    },
    {
      id: "value",
      head: "Value",
      title: "the value of all members placed",
      numeric: true,
      cell: (side) => side.plan.value ?? unknown(ofTheWhole(app, "it was not worked out")),
      csv: (side) => side.plan.value,
    },
    {
      id: "waiting",
      head: "Wait",
      numeric: true,
      cell: (side) => count(side.plan.waiting.length),
      sort: (side) => side.plan.waiting.length,
      csv: (side) => side.plan.waiting.length,
    },
    {
      id: "late",
      head: "Late",
      numeric: true,
      cell: (side) => count(late(side)),
      sort: late,
      csv: late,
    },
    { id: "status", head: "Status", wide: true, cell: (side) => side.plan.status },
  ];
  return table(app, {
    id: "policies",
    label: "Policies side by side",
    columns,
    rows: all,
    key: (side) => side.name,
    empty: empty("No policies.", ""),
  });
}
