/** Choices above a page; each is in the address. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";

export interface Choice {
  name: string;
  label: string;
  values: readonly (readonly [value: string, text: string])[];
  /** What holds when the address says nothing; then it stays out of the address. */
  first: string;
  /** What else of the address falls away with a change. */
  clears?: readonly string[];
}

export function chosen(app: App, choice: Choice): string {
  return app.route.query.get(choice.name) ?? choice.first;
}

export function select(app: App, choice: Choice): TemplateResult {
  const now = chosen(app, choice);
  const known = choice.values.some(([value]) => value === now);
  const change = (event: Event) => {
    const value = (event.currentTarget as HTMLSelectElement).value;
    const clears = Object.fromEntries((choice.clears ?? []).map((name) => [name, null]));
    app.set({ ...clears, [choice.name]: value === choice.first ? null : value });
  };
  return html`<label class="control"
    ><span>${choice.label}</span>
    <select @change=${change} .value=${now}>
      ${known ? nothing : html`<option value=${now} selected>${now}</option>`}
      ${choice.values.map(
        ([value, text]) => html`<option value=${value} ?selected=${value === now}>${text}</option>`,
      )}
    </select></label
  >`;
}

/** A field that changes the address when it is left or Enter is pressed. */
export function field(
  app: App,
  name: string,
  label: string,
  more: { type?: string; placeholder?: string; first?: string } = {},
): TemplateResult {
  const now = app.route.query.get(name) ?? more.first ?? "";
  const change = (event: Event) => {
    const value = (event.currentTarget as HTMLInputElement).value.trim();
    app.set({ [name]: value === "" || value === more.first ? null : value });
  };
  return html`<label class="control"
    ><span>${label}</span>
    <input
      type=${more.type ?? "text"}
      placeholder=${more.placeholder ?? nothing}
      .value=${now}
      spellcheck="false"
      autocomplete="off"
      @change=${change}
  /></label>`;
}

export const WINDOW: Choice = {
  name: "window",
  label: "Window",
  first: "24h",
  values: [
    ["1h", "last hour"],
    ["6h", "last 6 hours"],
    ["24h", "last 24 hours"],
    ["7d", "last 7 days"],
    ["30d", "last 30 days"],
  ],
};

/** How fine a series over a window is: by the hour within two days, else by the day. */
export function stepOf(window: string): string {
  const hours = /^(\d+)h$/.exec(window);
  const [from, to] = window.split(",").map((time) => Date.parse(time));
  const length_h =
    hours !== null ? Number(hours[1]) : ((to ?? Number.NaN) - (from ?? 0)) / 3_600_000;
  return length_h <= 48 ? "1h" : "1d";
}
