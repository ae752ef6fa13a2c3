/** Budgets: how far each is, how it ends, what would break it, what would be cut. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { Budget } from "../api/budget-types.ts";
import { path } from "../api/client.ts";
import type { Page } from "../api/types.ts";
import type { App } from "../app.ts";
import { parse, parseOrNull } from "../money/decimal.ts";
import { percent } from "../money/number.ts";
import { anomaliesBrief } from "../parts/anomalies.ts";
import { budgetBar } from "../parts/budget-bar.ts";
import { derive } from "../parts/derive.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, unknown } from "../parts/text.ts";
import { changed } from "../router.ts";
import { detail, held, limit } from "./budget-detail.ts";

export function budgets(app: App): TemplateResult {
  const all = app.read<Page<Budget>>(path("/budgets", { limit: 500 }), 5_000);
  return html`<h1 id="title" tabindex="-1">Budgets</h1>
    ${anomaliesBrief(app)} ${when(all, (all) => page(app, all.items))}`;
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

interface Branch {
  budget: Budget;
  /** How many are above it. */
  depth: number;
}

/** Each below the one that it counts in, those that are furthest gone first. */
export function treeOf(all: Budget[]): Branch[] {
  const names = new Set(all.map((one) => one.budget));
  const roots = (one: Budget) => one.parent === null || !names.has(one.parent);
  const gone = (of: Budget[]) => of.sort((a, b) => (b.gone ?? -1) - (a.gone ?? -1));
  const under = (parent: Budget, depth: number): Branch[] => [
    { budget: parent, depth },
    // Deeper than there are budgets is a circle, which the server never makes.
    ...(depth < all.length
      ? gone(all.filter((one) => one.parent === parent.budget)).flatMap((one) =>
          under(one, depth + 1),
        )
      : []),
  ];
  return gone(all.filter(roots)).flatMap((one) => under(one, 0));
}

function list(app: App, all: Budget[], shown: Budget | undefined): TemplateResult {
  const tree = derive(all, "tree", () => treeOf(all));
  const depths = derive(all, "depths", () => new Map(tree.map((one) => [one.budget, one.depth])));
  const depth = (one: Budget) => Math.min(depths.get(one) ?? 0, 4);
  const columns: Column<Budget>[] = [
    {
      id: "budget",
      head: "Budget",
      cell: (one) =>
        html`<div class="depth-${depth(one)}">
          <a href=${changed(app.route, { budget: one.budget, try: null })}>${one.budget}</a><br />
          <small>${one.scope}, ${one.period.name}${one.parent ? `, in ${one.parent}` : ""}</small>
        </div>`,
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
      cell: (one) => held(one, one.exposure, hoursOf(one)),
      // Hours and money are not compared.
      sort: (one) => (one.gpu_hours_limit === null ? parse(one.exposure) : null),
      csv: (one) =>
        one.gpu_hours_limit === null ? one.exposure : `${String(hoursOf(one))} GPU-hours`,
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
      cell: (one) =>
        one.rung
          ? badge("warn", one.rung, one.rung_mode ?? "")
          : html`<span class="soft">none</span>`,
      sort: (one) => one.rung,
      csv: (one) => one.rung,
    },
  ];
  return table(app, {
    id: "budgets",
    label: "All budgets",
    columns,
    rows: derive(all, "rows", () => tree.map(({ budget }) => budget)),
    key: (one) => one.budget,
    empty: empty("No budget is set.", "A manifest with kind: Budget sets one."),
    chosen: (one) => one === shown,
  });
}

const hoursOf = (one: Budget): number =>
  one.gpu_hours + one.gpu_hours_committed + one.gpu_hours_reserved;

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
