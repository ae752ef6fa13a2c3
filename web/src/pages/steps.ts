/** Steps: approved, rejected or undone by people, with the reasons and what was not taken. */
import { html, nothing, type TemplateResult } from "lit-html";
import { asProblem, type Loadable } from "../api/cache.ts";
import { happened, stepOf } from "../api/records.ts";
import type { Act, Step, Story } from "../api/types.ts";
import type { App } from "../app.ts";
import { parse, parseOrNull } from "../money/decimal.ts";
import { plural } from "../money/number.ts";
import { dialog } from "../parts/dialog.ts";
import { empty, when } from "../parts/state.ts";
import { type Column, table } from "../parts/table.ts";
import { badge, money, time } from "../parts/text.ts";
import { changed } from "../router.ts";

const WORDS: Record<Act, { name: string; done: string; what: string }> = {
  approve: {
    name: "Approve",
    done: "approved",
    what: "The step is begun at the next turn of the loop, if its precondition still holds.",
  },
  reject: {
    name: "Reject",
    done: "rejected",
    what: "The step is not done. The next plan may propose it again.",
  },
  undo: {
    name: "Undo",
    done: "undone",
    what: "What the step changed is put back as it was; its saving is not counted.",
  },
};

export function stepsTable(app: App, rows: Step[]): TemplateResult {
  const columns: Column<Step>[] = [
    {
      id: "step",
      head: "Step",
      cell: (step) =>
        html`<a href=${changed(app.route, { step: step.id })}
            >${step.action} ${step.workload ?? step.node}</a
          ><br /><small>${step.id}${step.count ? `, ${plural(step.count, "member")}` : ""}</small>`,
      sort: (step) => `${step.action} ${step.workload ?? step.node ?? ""}`,
      csv: (step) => step.id,
    },
    {
      id: "offer",
      head: "Where",
      wide: true,
      cell: (step) => html`<span class="break">${step.offer ?? "–"}</span>`,
      csv: (step) => step.offer,
    },
    {
      id: "end",
      head: "Until",
      wide: true,
      cell: (step) => time(app, step.end),
      sort: (step) => step.end,
      csv: (step) => step.end,
    },
    {
      id: "cost",
      head: "Cost",
      numeric: true,
      wide: true,
      cell: (step) => money(parse(step.cost), step.currency),
      sort: (step) => parse(step.cost),
      csv: (step) => step.cost,
    },
    {
      id: "saving",
      head: "Saves",
      numeric: true,
      cell: (step) => money(parse(step.saving), step.currency),
      sort: (step) => parse(step.saving),
      csv: (step) => step.saving,
    },
    {
      id: "stage",
      head: "State",
      wide: true,
      cell: stage,
      sort: (step) => step.stage,
      csv: (one) => one.stage,
    },
    { id: "act", head: "Decide", cell: (step) => buttons(app, step) },
  ];
  return table(app, {
    id: "steps",
    label: "Steps",
    columns,
    rows,
    key: (step) => step.id,
    sort: "-saving",
    page: 15,
    empty: empty("No steps.", "All stays as it is."),
    chosen: (step) => step.id === app.route.query.get("step"),
  });
}

function stage(step: Step): TemplateResult {
  if (step.stage !== "proposed")
    return badge("good", step.stage === "begun" ? "begun" : "in force");
  if (step.approved === true) return badge("good", "approved");
  if (step.approved === false) return badge("warn", "rejected");
  return badge("plain", "proposed");
}

function buttons(app: App, step: Step): TemplateResult | typeof nothing {
  if (step.can.length === 0) return nothing;
  const open = (act: Act) => () => app.set({ step: step.id, act });
  return html`<span class="acts"
    >${step.can.map(
      (act) =>
        html`<button type="button" class="small" @click=${open(act)}>
          ${WORDS[act].name}<span class="hidden"> ${step.id}</span>
        </button>`,
    )}</span
  >`;
}

/** `?step=ID` shows it; `&act=approve` asks for the decision. */
export function stepDialog(app: App, steps: Step[]): TemplateResult | typeof nothing {
  const id = app.route.query.get("step");
  if (!id) return nothing;
  const step = steps.find((step) => step.id === id);
  const asked = app.route.query.get("act") as Act | null;
  const act = asked && step?.can.includes(asked) ? asked : null;
  const name = step ? `${step.action} ${step.workload ?? step.node}` : id;
  const title = act ? `${WORDS[act].name}: ${name}` : name;
  const story = app.read<Story>(`/explain/${encodeURIComponent(id)}`, 5_000);
  const content = step
    ? html`${detail(app, step)}
      ${act ? decision(app, step, act) : html`${choices(app, step)} ${told(app, story, false)}`}`
    : told(app, story, true);
  return dialog(app, ["step", "act"], title, content);
}

/** What the journal has of a step; `whole` where it is not open any more. */
function told(app: App, story: Loadable<Story>, whole: boolean): TemplateResult {
  if (story.state === "failed" && story.problem.status === 404) {
    return whole ? empty("The journal has no such step.", "") : html``;
  }
  return html`${when(story, ({ step, then }) => {
    const one = stepOf(step);
    const events = (then ?? []).map(happened);
    return html`${
        whole
          ? html`<p>
                <strong>${one.action} ${one.target}</strong> <span class="break">${one.offer}</span>
              </p>
              <p>
                Cost ${one.cost?.number} ${one.cost?.currency}, saving ${one.saving?.number}
                ${one.saving?.currency}.
              </p>
              <ul class="rows">
                ${one.reasons.map((reason) => html`<li>${reason}</li>`)}
              </ul>`
          : nothing
      }
      <h3>What came of it</h3>
      ${events.length === 0 ? html`<p class="soft">Nothing yet.</p>` : nothing}
      <ul class="rows">
        ${events.map(
          (event) => html`<li><span>${time(app, event.at, "second")}</span> ${event.text}</li>`,
        )}
      </ul>`;
  })}`;
}

function detail(app: App, step: Step): TemplateResult {
  const [first, ...others] = step.reasons;
  return html`<dl class="facts">
      <div>
        <dt>Cost</dt>
        <dd>${money(parse(step.cost), step.currency)} ${step.currency}</dd>
      </div>
      <div>
        <dt>Saves</dt>
        <dd>${money(parse(step.saving), step.currency)} ${step.currency}</dd>
      </div>
      <div>
        <dt>State</dt>
        <dd>${stage(step)}</dd>
      </div>
      <div>
        <dt>Expires</dt>
        <dd>${time(app, step.expires, "second")}</dd>
      </div>
      ${
        step.reserved === null
          ? nothing
          : html`<div>
              <dt>Reserved</dt>
              <dd>
                ${money(parseOrNull(step.reserved), step.currency)} in ${step.budgets.join(", ")}
              </dd>
            </div>`
      }
    </dl>
    ${step.offer ? html`<p>On <code>${step.offer}</code></p>` : nothing}
    <h3>Why</h3>
    <p>${first ?? "No reason was given."}</p>
    ${
      others.length > 0
        ? html`<h3>What else there was, and why it lost</h3>
            <ul class="rows">
              ${others.map((reason) => html`<li>${reason}</li>`)}
            </ul>`
        : nothing
    }`;
}

function choices(app: App, step: Step): TemplateResult {
  return html`<p class="acts more">
    ${step.can.map(
      (act) => html`<a class="button" href=${changed(app.route, { act })}>${WORDS[act].name}</a>`,
    )}
  </p>`;
}

function decision(app: App, step: Step, act: Act): TemplateResult {
  const send = (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const reason = (form.elements.namedItem("reason") as HTMLInputElement).value.trim();
    void decide(app, step, act, reason);
  };
  return html`<form class="decide" @submit=${send}>
    <p>${WORDS[act].what}</p>
    <label class="control"
      ><span>Reason, for the journal (may be empty)</span>
      <input name="reason" autocomplete="off" maxlength="500" />
    </label>
    <p class="acts">
      <button type="submit" class="main">${WORDS[act].name}</button>
      <a class="button" href=${changed(app.route, { act: null, step: null })}>Leave it</a>
    </p>
  </form>`;
}

async function decide(app: App, step: Step, act: Act, reason: string): Promise<void> {
  const to = `/steps/${encodeURIComponent(step.id)}/${act}`;
  try {
    app.refused = null;
    const answer = await app.client.post<{ outcome?: string; detail?: string | null } | null>(
      to,
      reason === "" ? {} : { reason },
    );
    const more = answer?.detail ? `: ${answer.detail}` : "";
    app.say(`Step ${step.id} was ${WORDS[act].done}${more}.`);
    app.refreshAll();
    app.set({ step: null, act: null });
  } catch (error) {
    app.refused = asProblem(error).detail;
    app.redraw();
  }
}
