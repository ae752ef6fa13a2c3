/** Target bands: what a resource does against the band that it is held in. */
import { html, nothing, svg, type TemplateResult } from "lit-html";
import type { Band } from "../api/types.ts";
import type { App } from "../app.ts";
import { percent } from "../money/number.ts";
import { badge, seesAll, unknown } from "./text.ts";

export function bands(app: App, all: readonly Band[]): TemplateResult {
  if (all.length === 0) {
    const why = seesAll(app)
      ? "This plan says nothing of them."
      : "They are of the whole cluster, and not shown to a team.";
    return html`<p class="soft">${why}</p>`;
  }
  return html`<ul class="bands">
      ${all.map(band)}
    </ul>
    <p class="note keys">
      <span
        ><svg class="key" width="14" height="12" aria-hidden="true">
          <rect class="band" y="1" width="14" height="10"></rect></svg
        >target band</span
      >
      <span
        ><svg class="key" width="12" height="12" aria-hidden="true">
          <path class="now" d="M6 1 11 11H1Z"></path></svg
        >now: used / paid</span
      >
      <span
        ><svg class="key" width="12" height="12" aria-hidden="true">
          <path class="after" d="M6 1 11 6 6 11 1 6Z"></path></svg
        >after the plan: allocated / paid</span
      >
    </p>`;
}

function band(band: Band): TemplateResult {
  const said = `${band.resource}: now ${percent(band.now)}, after the plan ${percent(band.after)}, band ${percent(band.threshold, 0)} to ${percent(band.max, 0)}`;
  return html`<li>
    <span class="name">${band.resource}</span>
    <span class="value"
      >${band.now === null ? unknown(band.proposal) : percent(band.now)} ${stateOf(band)}</span
    >
    <svg class="drawing gauge" height="22" role="img" aria-label=${said}>
      <rect class="track" y="7" width="100%" height="8" rx="2"></rect>
      <rect
        class="band"
        x=${of(band.threshold)}
        width=${of(band.max - band.threshold)}
        y="3"
        height="16"
      ></rect>
      ${mark(band.after, "after", "M0 -5 5 0 0 5 -5 0Z", 11)}
      ${mark(band.now, "now", "M0 -8 5 2H-5Z", 19)}
    </svg>
    <span class="what">${band.proposal}</span>
  </li>`;
}

const of = (ratio: number): string => `${(Math.min(1, Math.max(0, ratio)) * 100).toFixed(2)}%`;

/** A mark of a fixed size at a share of the width: a nested drawing carries it there. */
function mark(at: number | null, kind: string, path: string, y: number) {
  if (at === null) return nothing;
  return svg`<svg x=${of(at)} y=${y} overflow="visible"><path class=${kind} d=${path}></path></svg>`;
}

function stateOf(band: Band): TemplateResult | typeof nothing {
  if (band.state === null) return nothing;
  return badge(band.state === "within" ? "good" : "warn", band.state);
}
