/** A picture with its title, its note, and buttons to take it along. */
import { html, nothing, type TemplateResult } from "lit-html";
import "../charts/element.ts";
import type { ChartSpec } from "../charts/spec.ts";
import { saveCsv, savePng, type Sheet } from "./files.ts";

export interface FigureSpec {
  /** In file names. */
  id: string;
  title: string;
  note?: TemplateResult | string | typeof nothing;
  picture: ChartSpec | TemplateResult;
  sheet: () => Sheet;
}

export function figure(spec: FigureSpec): TemplateResult {
  const png = (event: Event) => {
    const figure = (event.currentTarget as Element).closest("figure");
    if (figure) void savePng(spec.id, figure);
  };
  return html`<figure>
    <figcaption>
      <h3>${spec.title}</h3>
      <span class="take">
        <button type="button" class="quiet" @click=${() => saveCsv(spec.id, spec.sheet())}>
          CSV<span class="hidden"> of ${spec.title}</span>
        </button>
        <button type="button" class="quiet" @click=${png}>
          PNG<span class="hidden"> of ${spec.title}</span>
        </button>
      </span>
    </figcaption>
    ${
      isChart(spec.picture)
        ? html`<farthing-chart .spec=${spec.picture}></farthing-chart>`
        : spec.picture
    }
    ${spec.note && spec.note !== nothing ? html`<p class="note">${spec.note}</p>` : nothing}
  </figure>`;
}

function isChart(picture: ChartSpec | TemplateResult): picture is ChartSpec {
  return "option" in picture;
}
