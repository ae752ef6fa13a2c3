/** Parts of a plan that more than one page shows. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { Plan, PlanBudget, Waiting } from "../api/types.ts";
import type { App } from "../app.ts";
import { compare, parse, parseOrNull, type Pico, ratio, sum } from "../money/decimal.ts";
import { percent, plural } from "../money/number.ts";
import { derive } from "../parts/derive.ts";
import { budgetBar } from "../parts/budget-bar.ts";
import { badge, money, ofTheWhole, time, unknown } from "../parts/text.ts";
import { href } from "../router.ts";

/** What it costs, the proven least, the gap, what it saves. */
export function planLead(app: App, plan: Plan): TemplateResult {
  const saving = derive(plan, "saving", () => sum(plan.steps.map((step) => parse(step.saving))));
  return html`<dl class="facts">
    <div>
      <dt>Cost to ${time(app, plan.horizon.to)}</dt>
      <dd>${money(parse(plan.cost), plan.currency)} <small>${plan.currency}</small></dd>
    </div>
    <div>
      <dt>Proven least</dt>
      <dd>
        ${money(parseOrNull(plan.lower_bound), plan.currency, 2, ofTheWhole(app, "no bound was proven"))}
      </dd>
    </div>
    <div>
      <dt>Gap</dt>
      <dd>
        ${plan.gap === null ? unknown(ofTheWhole(app, "no bound was proven")) : percent(plan.gap, 2)}
        ${status(plan)}
      </dd>
    </div>
    <div>
      <dt>New steps save</dt>
      <dd>${money(saving, plan.currency)} <small>${plan.currency}</small></dd>
    </div>
  </dl>`;
}

function status(plan: Plan): TemplateResult {
  return badge(plan.status === "optimal" ? "good" : "warn", plan.status);
}

/** The steps that save most. */
export function stepsBrief(plan: Plan): TemplateResult {
  if (plan.steps.length === 0) return html`<p class="soft">Nothing to do: all stays as it is.</p>`;
  const best = derive(plan, "best", () =>
    [...plan.steps].sort((a, b) => compare(parse(b.saving), parse(a.saving))).slice(0, 4),
  );
  return html`<h3>
      ${plural(plan.steps.length, "step")}${plan.steps.length > 4 ? ", those that save most" : ""}
    </h3>
    <ul class="rows">
      ${best.map(
        (step) =>
          html`<li>
            <a href=${href("plan", { step: step.id })}
              >${step.action} ${step.workload ?? step.node}</a
            >
            <span class="numeric">saves ${money(parse(step.saving), plan.currency)}</span>
            <span class="soft why">${step.offer ?? ""}</span>
          </li>`,
      )}
    </ul>`;
}

export function waitingList(
  waiting: readonly Waiting[],
  most: number,
): TemplateResult | typeof nothing {
  if (waiting.length === 0) return nothing;
  const more = waiting.length - most;
  return html`<h3>${plural(waiting.length, "workload")} waiting</h3>
    <ul class="rows">
      ${waiting.slice(0, most).map(
        (one) =>
          html`<li>
            <span>${one.workload}</span>
            ${one.members > 1 ? html`<span class="soft">${one.members} members</span>` : nothing}
            ${one.late ? badge("warn", "late") : nothing}
            <span class="soft why">${one.reason}</span>
          </li>`,
      )}
      ${more > 0 ? html`<li class="soft">and ${more} more</li>` : nothing}
    </ul>`;
}

/** Budgets, those nearest to their limit first. */
export function budgetLines(budgets: readonly PlanBudget[], currency: string): TemplateResult {
  const near = derive(budgets, "nearest", () => {
    const share = (one: PlanBudget): number => {
      const limit = parseOrNull(one.limit);
      return limit === null ? -1 : (ratio(parse(one.forecast), limit) ?? -1);
    };
    return [...budgets].sort((a, b) => share(b) - share(a)).slice(0, 5);
  });
  if (near.length === 0) return html`<p class="soft">No budget is set.</p>`;
  return html`<ul class="bands">
    ${near.map((one) => {
      const limit = parseOrNull(one.limit);
      const forecast = parse(one.forecast);
      return html`<li>
        <span class="name"
          ><a href=${href("budgets", { budget: one.budget })}>${one.budget}</a></span
        >
        <span class="value"
          >${money(forecast, currency)} of ${money(limit, currency, 2, "its limit is in GPU-hours")}
          ${one.rung ? badge("warn", one.rung) : nothing}</span
        >
        ${limit === null ? nothing : budgetBar(parts(one), limit, one.budget)}
      </li>`;
    })}
  </ul>`;
}

function parts(one: PlanBudget): { spent: Pico; held: Pico; planned: Pico } {
  return {
    spent: parse(one.spent),
    held: parse(one.committed),
    planned: parse(one.planned),
  };
}
