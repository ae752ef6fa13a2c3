/** Where a number comes from: charges, prices, samples. Opens over any page by `?explain=ID`. */
import { html, nothing, type TemplateResult } from "lit-html";
import { path } from "../api/client.ts";
import type { ExplainedLine, Explanation } from "../api/types.ts";
import type { App } from "../app.ts";
import { format, parse } from "../money/decimal.ts";
import { count, fixed } from "../money/number.ts";
import { dialog } from "../parts/dialog.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { money, time } from "../parts/text.ts";

/** `query` are the window and keys that the row was shown for. */
export function explanation(
  app: App,
  query: Record<string, string>,
): TemplateResult | typeof nothing {
  const id = app.route.query.get("explain");
  if (!id) return nothing;
  const found = app.read<Explanation>(path(`/explain/${encodeURIComponent(id)}`, query), 60_000);
  return dialog(
    app,
    ["explain"],
    "Where this number comes from",
    html`${when(found, (found) => statement(app, found))}`,
  );
}

function statement(app: App, found: Explanation): TemplateResult {
  return html`<p class="lead">
      <span class="figure">${money(parse(found.total), found.currency)}</span>
      <span class="soft"
        >${found.currency}, ${time(app, found.window.from)} to ${time(app, found.window.to)}</span
      >
    </p>
    <dl class="facts">
      ${found.keys.map(
        ([key, value]) =>
          html`<div>
            <dt>${key}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
      <div>
        <dt>Row</dt>
        <dd><code>${found.id}</code></dd>
      </div>
    </dl>
    ${holds(found)}
    <h3>Charges: price of the node x its time x the part of it</h3>
    ${charges(app, found)} ${workloads(found)} ${samples(app, found)}`;
}

/** The lines are the number, or it is said that they are not. */
function holds(found: Explanation): TemplateResult {
  const rest = parse(found.total) - found.lines.reduce((sum, one) => sum + parse(one.cost), 0n);
  const said = `${count(found.lines.length)} charges`;
  if (rest === 0n) return html`<p class="note">${said} sum to the number exactly.</p>`;
  return html`<p class="state refused">
    ${said} leave ${format(rest, 12)} ${found.currency} unexplained.
  </p>`;
}

function charges(app: App, found: Explanation): TemplateResult {
  const columns: Column<ExplainedLine>[] = [
    {
      id: "node",
      head: "Node",
      cell: (line) => html`${line.node}<br /><small>${line.offer}</small>`,
      sort: (line) => line.node,
      csv: (line) => line.node,
    },
    {
      id: "resource",
      head: "Resource",
      cell: (line) => html`${line.resource}<br /><small>${line.destination}</small>`,
      sort: (line) => `${line.resource} ${line.destination}`,
      csv: (line) => `${line.resource} ${line.destination}`,
    },
    {
      id: "rate",
      head: "Node per hour",
      numeric: true,
      wide: true,
      cell: (line) => money(parse(line.node_rate), found.currency, 4),
      sort: (line) => parse(line.node_rate),
      csv: (line) => line.node_rate,
    },
    {
      id: "price",
      head: "Price",
      wide: true,
      cell: (line) => html`${line.price_kind}<br /><small>${line.price_source}</small>`,
      csv: (line) => `${line.price_kind} ${line.price_source} ${line.price_as_of}`,
    },
    {
      id: "node_hours",
      head: "Node hours",
      numeric: true,
      wide: true,
      cell: (line) => fixed(Number(line.node_hours), 3),
      sort: (line) => Number(line.node_hours),
      csv: (line) => line.node_hours,
    },
    {
      id: "cost",
      head: found.currency,
      numeric: true,
      cell: (line) => money(parse(line.cost), found.currency, 4),
      sort: (line) => parse(line.cost),
      csv: (line) => line.cost,
    },
  ];
  return table(app, {
    id: "charges",
    label: "Charges",
    columns,
    rows: found.lines,
    key: (line) =>
      `${line.node} ${line.offer} ${line.resource} ${line.destination} ${line.node_rate}`,
    sort: "-cost",
    page: 12,
    empty: empty("No charge", "belongs to this row in this window."),
  });
}

function workloads(found: Explanation): TemplateResult | typeof nothing {
  if (found.workloads.length < 2) return nothing;
  return html`<h3>Whose charges these are</h3>
    <ul class="rows">
      ${found.workloads.slice(0, 12).map(
        ([workload, cost]) =>
          html`<li>
            <span>${workload}</span>
            <span class="numeric">${money(parse(cost), found.currency)}</span>
          </li>`,
      )}
    </ul>`;
}

function samples(app: App, found: Explanation): TemplateResult {
  const missing = found.hours_without_telemetry;
  return html`<h3>Samples behind them</h3>
    ${
      missing > 0
        ? html`<p class="note">The telemetry of ${missing} hours is not kept.</p>`
        : nothing
    }
    <ul class="rows">
      ${found.samples.slice(0, 12).map(
        (one) =>
          html`<li>
            <span>${one.source}</span>
            <span class="soft">${one.resource} on ${one.node}</span>
            <span class="soft"
              >${count(one.count)} samples, ${time(app, one.first)} to ${time(app, one.last)}</span
            >
          </li>`,
      )}
      ${
        found.samples.length > 12
          ? html`<li class="soft">and ${found.samples.length - 12} more</li>`
          : nothing
      }
    </ul>`;
}
