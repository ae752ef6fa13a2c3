/** A budget as a bar: spent, held and planned against its limit, with the rungs as marks. */
import { nothing, svg, html, type TemplateResult } from "lit-html";
import { type Pico, ratio } from "../money/decimal.ts";
import { percent } from "../money/number.ts";

export interface BudgetParts {
  spent: Pico;
  /** Committed and reserved. */
  held: Pico;
  planned?: Pico;
}

export function budgetBar(
  parts: BudgetParts,
  limit: Pico,
  name: string,
  rungs: readonly number[] = [],
): TemplateResult {
  const planned = parts.planned ?? 0n;
  const all = parts.spent + parts.held + planned;
  // The bar ends at its limit, or where it is overrun, at what it came to.
  const end = all > limit ? all : limit;
  const share = (amount: Pico) => ratio(amount, end) ?? 0;
  const spent = share(parts.spent);
  const held = share(parts.held);
  const said = `${name}: ${percent(ratio(all, limit))} of the limit`;
  const marks = rungs.map((at) => at * share(limit)).filter((at) => at <= 1);
  return html`<svg class="drawing gauge" height="16" role="img" aria-label=${said}>
    <rect class="track" y="4" width="100%" height="8" rx="2"></rect>
    ${piece("spent", 0, spent)} ${piece("held", spent, held)}
    ${piece("planned", spent + held, share(planned))}
    ${marks.map((at) => svg`<line class="rung" x1=${of(at)} x2=${of(at)} y1="1" y2="15"></line>`)}
    ${
      all > limit
        ? svg`<line class="limit" x1=${of(share(limit))} x2=${of(share(limit))} y1="0" y2="16"></line>`
        : nothing
    }
  </svg>`;
}

const of = (share: number): string => `${(share * 100).toFixed(2)}%`;

function piece(kind: string, from: number, width: number) {
  if (width <= 0) return nothing;
  return svg`<rect class=${kind} x=${of(from)} width=${of(width)} y="4" height="8"></rect>`;
}
