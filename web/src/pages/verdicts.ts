/** Verdicts on who holds accelerators, with their evidence, and the ladder of each device. */
import { html, nothing, svg, type TemplateResult } from "lit-html";
import { type Loadable, valueOf } from "../api/cache.ts";
import type { Rung, Verdict, Verdicts } from "../api/types.ts";
import type { App } from "../app.ts";
import { parse } from "../money/decimal.ts";
import { count, percent, plural } from "../money/number.ts";
import { dialog } from "../parts/dialog.ts";
import { empty } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, money, unknown } from "../parts/text.ts";
import { changed } from "../router.ts";

const MEANING: Record<string, string> = {
  BUSY: "works",
  EMPTY_IDLE: "holds the GPU and nothing on it",
  LOADED_IDLE: "holds memory and does no work",
  PROBE_ONLY: "only a probe touches it",
  STALLED: "began to work and stopped",
  STARTING: "has just begun",
  UNKNOWN: "too little was read to say",
};

function word(verdict: Verdict): TemplateResult {
  const text = verdict.state.toLowerCase().replaceAll("_", " ");
  const kind = verdict.idle ? "warn" : verdict.state === "BUSY" ? "good" : "plain";
  return badge(kind, text, MEANING[verdict.state] ?? "");
}

export function verdicts(app: App, said: Verdicts): TemplateResult {
  const columns: Column<Verdict>[] = [
    {
      id: "workload",
      head: "Workload",
      cell: (one) =>
        html`<a href=${changed(app.route, { verdict: one.workload })}>${one.workload}</a>`,
      sort: (one) => one.workload,
      csv: (one) => one.workload,
    },
    {
      id: "state",
      head: "Verdict",
      cell: word,
      sort: (one) => one.state,
      csv: (one) => one.state,
    },
    {
      id: "why",
      head: "Because",
      wide: true,
      cell: (one) => one.devices[0]?.why ?? MEANING[one.state] ?? "",
      csv: (one) => one.devices[0]?.why ?? null,
    },
    {
      id: "coverage",
      head: "Read",
      title: "the part of the time that was read",
      numeric: true,
      cell: (one) => percent(one.coverage, 0),
      sort: (one) => one.coverage,
      csv: (one) => one.coverage,
    },
    {
      id: "per_day",
      head: "Per day",
      numeric: true,
      cell: (one) => money(parse(one.per_day), one.currency),
      sort: (one) => parse(one.per_day),
      csv: (one) => one.per_day,
    },
  ];
  return html`${table(app, {
    id: "verdicts",
    label: "Verdicts",
    columns,
    rows: said.verdicts,
    key: (one) => one.workload,
    sort: "-per_day",
    page: 12,
    empty: empty("No verdicts.", "No device was observed in this window, so none is called idle."),
    chosen: (one) => one.workload === app.route.query.get("verdict"),
  })}
  ${
    said.unallocated.length > 0
      ? html`<p class="note">
          ${plural(said.unallocated.length, "device")} nobody has:
          ${said.unallocated
            .slice(0, 6)
            .map((one) => `${one.device} on ${one.node}`)
            .join(", ")}${said.unallocated.length > 6 ? " and more" : ""}.
        </p>`
      : nothing
  }`;
}

export function verdictDialog(app: App, said: Loadable<Verdicts>): TemplateResult | typeof nothing {
  const asked = app.route.query.get("verdict");
  const found = asked && valueOf(said)?.verdicts.find((one) => one.workload === asked);
  if (!asked || said.state === "loading") return nothing;
  const content = found
    ? evidence(found)
    : empty("There is no verdict on it in this window.", "It held no accelerator.");
  return dialog(app, ["verdict"], asked, content);
}

function evidence(verdict: Verdict): TemplateResult {
  return html`<p>
      ${word(verdict)}: ${MEANING[verdict.state] ?? ""}.
      ${money(parse(verdict.spent), verdict.currency)} ${verdict.currency} in the window,
      ${money(parse(verdict.per_day), verdict.currency)} a day.
    </p>
    ${
      verdict.vetoes.length > 0
        ? html`<h3>What speaks against calling it idle</h3>
            <ul class="rows">
              ${verdict.vetoes.map((veto) => html`<li>${veto}</li>`)}
            </ul>`
        : nothing
    }
    <h3>Evidence by device</h3>
    <ul class="rows">
      ${verdict.devices.map(
        (one) =>
          html`<li>
            <span>${one.device}${one.instance === null ? "" : ` instance ${one.instance}`}</span>
            <span class="soft">${one.node}</span>
            <span class="why">${one.why}</span>
            <span class="soft why">
              ${count(one.records)} of ${count(one.records_expected)} records
              (${percent(one.coverage, 0)}), most active
              ${one.active_most === null ? unknown("no reading") : percent(one.active_most)}, memory
              ${
                one.memory_held === null
                  ? unknown("nobody says")
                  : one.memory_held
                    ? "held"
                    : "free"
              },
              most power
              ${one.power_most_w === null ? unknown("no reading") : `${count(one.power_most_w)} W`}
            </span>
          </li>`,
      )}
    </ul>`;
}

type Ladder = Verdicts["ladders"][number];

const ORDER = ["allocated", "context", "engine", "sm", "tensor", "mfu"];

/** From allocated to useful: each rung is a part of the one before. */
export function ladders(app: App, said: Verdicts): TemplateResult | typeof nothing {
  if (said.ladders.length === 0) return nothing;
  const known = new Set(said.ladders.flatMap((one) => Object.keys(one.rungs)));
  const names = [...ORDER.filter((name) => known.has(name)), ...[...known].filter(isOther)];
  const columns: Column<Ladder>[] = [
    {
      id: "device",
      head: "Device",
      cell: (one) =>
        html`${one.device}<br /><small>${one.workload ?? "nobody"}, ${one.node}</small>`,
      sort: (one) => `${one.node} ${one.device}`,
      csv: (one) => `${one.node} ${one.device}`,
    },
    ...names.map((name, at): Column<Ladder> => ({
      id: name,
      head: name,
      numeric: true,
      wide: at > 0 && at < names.length - 2,
      cell: (one) => rung(one.rungs[name]),
      sort: (one) => one.rungs[name]?.value ?? null,
      csv: (one) => one.rungs[name]?.value ?? null,
    })),
  ];
  return html`<h3>The ladder: from allocated to useful</h3>
    ${table(app, {
      id: "ladders",
      label: "Utilisation ladder by device",
      columns,
      rows: said.ladders,
      key: (one) => `${one.node} ${one.device} ${one.workload}`,
      page: 12,
      empty: empty("No device was read.", ""),
    })}`;
}

const isOther = (name: string): boolean => !ORDER.includes(name);

function rung(rung: Rung | undefined): TemplateResult {
  if (!rung || rung.value === null) {
    const missing = rung?.missing ?? "not read";
    return unknown(rung?.export ? `${missing}; this would export it: ${rung.export}` : missing);
  }
  const wide = `${(Math.min(1, rung.value) * 100).toFixed(1)}%`;
  return html`${percent(rung.value, 0)}
    <svg class="drawing mini" height="5" aria-hidden="true">
      ${svg`<rect class="track" width="100%" height="5"></rect>
        <rect class="part-used" width=${wide} height="5"></rect>`}
    </svg>`;
}
