/** Nodes and GPUs: how much of what is paid works, and who holds what does not. */
import { html, nothing, type TemplateResult } from "lit-html";
import { valueOf } from "../api/cache.ts";
import { path } from "../api/client.ts";
import type { NodeJson, Snapshot, Tick, Utilisation, Verdicts } from "../api/types.ts";
import type { App } from "../app.ts";
import { density, heat, type Row, rowsOf } from "../charts/heat.ts";
import { type Resource, useOverTime, valueAt } from "../charts/use.ts";
import { parseOrNull } from "../money/decimal.ts";
import { count, percent, plural } from "../money/number.ts";
import { type Choice, chosen, field, select, stepOf, WINDOW } from "../parts/controls.ts";
import { derive } from "../parts/derive.ts";
import { figure } from "../parts/figure.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, money, time, unknown } from "../parts/text.ts";
import { changed, href } from "../router.ts";
import { ladders, verdictDialog, verdicts } from "./verdicts.ts";

const RESOURCE: Choice = {
  name: "resource",
  label: "Resource",
  first: "gpu",
  values: [
    ["gpu", "GPUs"],
    ["cpu", "cores"],
    ["memory", "memory"],
  ],
};

const STATES: Record<string, "good" | "warn"> = { ready: "good", lost: "warn" };

/** The most that the server gives at once. */
const NODES = 10_000;

/** Nodes in one picture: more rows could not be read. */
const ROWS = 40;

export function nodes(app: App): TemplateResult {
  const window = chosen(app, WINDOW);
  const step = stepOf(window);
  const node = app.route.query.get("node");
  const asked = path("/utilisation", { window, step, sort: "used", node, limit: NODES });
  const use = app.read<Utilisation>(asked, 15_000);
  const said = app.read<Verdicts>(path("/verdicts", { window }), 15_000);
  const seen = app.read<Snapshot>("/snapshot", 5_000);
  return html`<h1 id="title" tabindex="-1">Nodes and GPUs</h1>
    <div class="controls">
      ${select(app, WINDOW)} ${select(app, RESOURCE)}
      ${field(app, "node", "Node", { placeholder: "part of its name" })}
    </div>
    <section class="card" aria-labelledby="h-use">
      <h2 id="h-use">What works of what is paid</h2>
      ${when(use, (use) => usage(app, use))}
    </section>
    <section class="card" aria-labelledby="h-idle">
      <h2 id="h-idle">Who holds GPUs, and what they do with them</h2>
      ${when(said, (said) => html`${verdicts(app, said)} ${ladders(app, said)}`)}
    </section>
    <section class="card" aria-labelledby="h-nodes">
      <h2 id="h-nodes">Nodes</h2>
      ${when(seen, (seen) => list(app, seen, meansOf(valueOf(use))))}
    </section>
    ${verdictDialog(app, said)}`;
}

function usage(app: App, use: Utilisation): TemplateResult {
  if (use.series.length === 0) return empty("Nothing was measured in this window.", "");
  const resource = chosen(app, RESOURCE) as Resource;
  const known = use.series.some((span) => span[resource]);
  const at = valueOf(app.read<Tick>("/tick", 60_000))?.at;
  const until = at ? Date.parse(at) : Infinity;
  return html`${
    known
      ? figure({
          id: `use-${resource}`,
          title: "Paid, allocated, used",
          picture: useOverTime(use, { resource, zone: app.settings.zone, until }),
          sheet: () => ({
            head: ["from", "to", "paid", "allocated", "used"],
            rows: use.series.map((span) => [
              span.window.from,
              span.window.to,
              valueAt(span, resource, "paid", until),
              valueAt(span, resource, "allocated", until),
              valueAt(span, resource, "used", until),
            ]),
          }),
        })
      : empty("Unknown.", `No source measured ${resource} in this window.`)
  }
  ${heatMaps(app, use)}`;
}

function heatMaps(app: App, use: Utilisation): TemplateResult {
  const all = rowsOf(use);
  if (all.length === 0) return empty("No node has GPUs that are measured here.", "");
  const pages = Math.ceil(all.length / ROWS);
  const asked = Number.parseInt(app.route.query.get("heat") ?? "1", 10) || 1;
  const page = Math.min(Math.max(1, asked), pages);
  const rows = derive(all, `page ${page}`, () => all.slice((page - 1) * ROWS, page * ROWS));
  const many = use.nodes.length > ROWS;
  return html`${
    many
      ? figure({
          id: "use-levels",
          title: "How many nodes work how much",
          picture: density(use, app.settings.zone),
          sheet: () => sheet(use, rowsOf(use)),
        })
      : nothing
  }
  ${figure({
    id: "use-nodes",
    title: "GPU use by node, the least used first",
    picture: heat(use, rows, app.settings.zone),
    sheet: () => sheet(use, all),
    note:
      "Figures are per cent of what was paid. Where a cell is empty, the node was not paid; where " +
      "it is hatched, too little was measured to know.",
  })}
  ${pages > 1 ? pager(app, page, pages, all.length) : nothing}`;
}

function sheet(use: Utilisation, rows: readonly Row[]) {
  return {
    head: ["node", "mean", ...use.series.map(({ window }) => window.from)],
    rows: rows.map((row) => [
      row.node,
      row.mean,
      ...row.values.map(
        (value, x) => value ?? ((row.measured[x] ?? null) === null ? null : "unknown"),
      ),
    ]),
  };
}

function pager(app: App, page: number, pages: number, all: number): TemplateResult {
  const link = (text: string, to: number) =>
    to >= 1 && to <= pages
      ? html`<a href=${changed(app.route, { heat: to === 1 ? null : String(to) })}>${text}</a>`
      : html`<span class="soft" aria-hidden="true">${text}</span>`;
  return html`<nav class="pager" aria-label="Pages of the heat map">
    ${link("Less used", page - 1)}
    <span>page ${page} of ${pages}, ${plural(all, "node")}</span>
    ${link("More used", page + 1)}
  </nav>`;
}

/** Those whose name has what is asked for; the same array while nothing changes. */
function filtered<R>(
  app: App,
  source: object,
  name: string,
  rows: R[],
  nameOf: (row: R) => string,
): R[] {
  const part = app.route.query.get("node")?.toLowerCase() ?? "";
  if (part === "") return rows;
  return derive(source, `${name} with ${part}`, () =>
    rows.filter((row) => nameOf(row).toLowerCase().includes(part)),
  );
}

function meansOf(use: Utilisation | null): Means {
  if (!use) return null;
  return derive(use, "means", () => new Map(rowsOf(use).map((row) => [row.node, row.mean])));
}

type Means = Map<string, number | null> | null;

function list(app: App, seen: Snapshot, means: Means): TemplateResult {
  const rows = filtered(app, seen, "nodes", seen.nodes, (node) => node.id);
  return html`<p class="note">
      ${plural(rows.length, "node")}${
        rows.length < seen.nodes.length ? ` of ${count(seen.nodes.length)}` : ""
      },
      seen ${time(app, seen.at, "second")}
    </p>
    ${table(app, {
      id: "nodes",
      label: "Nodes",
      columns: columns(app, means),
      rows,
      key: (node) => node.id,
      empty: empty("No nodes.", "None was observed, or none has this name."),
    })}`;
}

function columns(app: App, means: Means): Column<NodeJson>[] {
  return [
    {
      id: "id",
      head: "Node",
      cell: (node) => html`<a href=${costOf(node)}>${node.id}</a>`,
      sort: (node) => node.id,
      csv: (node) => node.id,
    },
    {
      id: "state",
      head: "State",
      cell: (node) => badge(STATES[node.state] ?? "plain", node.state),
      sort: (node) => node.state,
      csv: (node) => node.state,
    },
    {
      id: "machine",
      head: "Machine",
      wide: true,
      cell: (node) =>
        html`<span class="break">${node.instance_type ?? node.offer}</span><br /><small
            >${node.provider} ${node.zone ?? node.region}, ${node.purchase}</small
          >`,
      sort: (node) => node.offer,
      csv: (node) => node.offer,
    },
    {
      id: "accelerator",
      head: "GPUs",
      wide: true,
      cell: (node) => (node.accelerator ? `${node.accelerator_count} x ${node.accelerator}` : "–"),
      sort: (node) => `${node.accelerator ?? ""} ${node.accelerator_count}`,
      csv: (node) => `${node.accelerator_count} x ${node.accelerator ?? ""}`,
    },
    {
      id: "price",
      head: "Per hour",
      numeric: true,
      cell: (node) => {
        const why = node.price_unknown ?? "no price of its offer is known";
        return money(parseOrNull(node.price), node.currency ?? "", 4, why);
      },
      sort: (node) => parseOrNull(node.price),
      csv: (node) => node.price,
    },
    useColumn(means),
    {
      id: "since",
      head: "Since",
      wide: true,
      cell: (node) => time(app, node.since),
      sort: (node) => node.since,
      csv: (node) => node.since,
    },
  ];
}

function useColumn(means: Means): Column<NodeJson> {
  return {
    id: "used",
    head: "GPU use",
    title: "the mean of what was measured in the window",
    numeric: true,
    cell: (node) => {
      if (node.accelerator_count === 0) return html`<span class="soft">no GPU</span>`;
      const mean = means?.get(node.id) ?? null;
      return mean === null ? unknown("no telemetry of this node in the window") : percent(mean, 0);
    },
    sort: (node) => means?.get(node.id) ?? null,
    csv: (node) => means?.get(node.id) ?? null,
  };
}

function costOf(node: NodeJson): string {
  return href("cost", { by: "workload", filter: `node:"${node.id.replaceAll('"', "")}"` });
}
