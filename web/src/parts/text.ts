/** Money and times as parts of a page. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { exact, format, type Pico } from "../money/decimal.ts";
import { UNKNOWN } from "../money/number.ts";
import { type Precision, show, utc } from "../money/time.ts";

/** Rounded, with the exact amount on hover; what is not known says why. */
export function money(
  amount: Pico | null,
  currency: string,
  digits = 2,
  why = "the server does not know it",
): TemplateResult {
  if (amount === null) return unknown(why);
  return html`<span class="num" title="${exact(amount)} ${currency}"
    >${format(amount, digits)}</span
  >`;
}

/** A name of a machine, which may break after what joins its parts. */
export function machineName(name: string): TemplateResult {
  return html`${name.split(/(?<=[-_])/).map((part) => html`${part}<wbr />`)}`;
}

export function unknown(why: string): TemplateResult {
  return html`<span class="unknown" title=${why}
    >${UNKNOWN}<span class="hidden">: ${why}</span></span
  >`;
}

/** What is told of the whole cluster only; `why` is for those who see all of it. */
export function ofTheWhole(app: App, why: string): string {
  return seesAll(app) ? why : "it is of the whole cluster, and not shown to a team";
}

/** Whether what is shown is of everybody, and not of some teams. */
export function seesAll(app: App): boolean {
  return app.access.state !== "open" || app.access.session.user.teams === null;
}

/** A time in the viewer's zone, UTC on hover. */
export function time(
  app: App,
  at: string | null | undefined,
  precision: Precision = "minute",
): TemplateResult {
  if (!at) return html`<span class="soft">–</span>`;
  const text = show(at, app.settings.zone, precision);
  return html`<time datetime=${at} title=${utc(at)}>${text}</time>`;
}

/** A word with a shape before it, so that its colour is not the only sign. */
export function badge(kind: "good" | "warn" | "plain", text: string, title = ""): TemplateResult {
  const sign = { good: "●", warn: "▲", plain: "○" }[kind];
  return html`<span class="badge ${kind}" title=${title || nothing}
    ><span aria-hidden="true">${sign}</span> ${text}</span
  >`;
}
