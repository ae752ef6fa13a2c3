/**
 * The five places that money goes to: what is paid is allocated (used and idle), unallocated or
 * overhead. One bar that adds up, and the same as a statement.
 */
import { html, nothing, svg, type TemplateResult } from "lit-html";
import type { Flow } from "../api/types.ts";
import { digitsFor, exact, formatParts, parse, type Pico, ratio } from "../money/decimal.ts";
import { percent } from "../money/number.ts";

export const PLACES = ["used", "idle", "unallocated", "overhead"] as const;
export type Place = (typeof PLACES)[number];

export const MEANING: Record<Place, string> = {
  used: "allocated, and it worked",
  idle: "allocated, and it did not work",
  unallocated: "paid, and nobody has it",
  overhead: "the system's own, and nodes that boot",
};

export type Amounts = Record<Place, Pico>;

export function amountsOf(flow: Flow): Amounts {
  return {
    used: parse(flow.used),
    idle: parse(flow.idle),
    unallocated: parse(flow.unallocated),
    overhead: parse(flow.overhead),
  };
}

export const total = (amounts: Amounts): Pico =>
  PLACES.reduce((sum, place) => sum + amounts[place], 0n);

/** Patterns of the places, once in the page; the colours are those of the style sheet. */
export function patterns(): TemplateResult {
  return html`<svg class="offstage" aria-hidden="true" focusable="false">
    <defs id="patterns">
      <pattern id="p-idle" width="7" height="7" patternUnits="userSpaceOnUse">
        <rect class="fill-idle" width="7" height="7"></rect>
        <path class="ink" d="M-1 8 8 -1 M-1 1 1 -1 M6 8 8 6"></path>
      </pattern>
      <pattern id="p-unallocated" width="7" height="7" patternUnits="userSpaceOnUse">
        <rect class="fill-unallocated" width="7" height="7"></rect>
        <circle class="dot" cx="3.5" cy="3.5" r="1"></circle>
      </pattern>
      <pattern id="p-overhead" width="6" height="6" patternUnits="userSpaceOnUse">
        <rect class="fill-overhead" width="6" height="6"></rect>
        <path class="ink" d="M0 3 H6"></path>
      </pattern>
    </defs>
  </svg>`;
}

const HEIGHT = 62;

/** The bar. Its parts are as wide as their amounts; the bracket over used and idle is allocated. */
export function placesBar(amounts: Amounts, currency: string): TemplateResult {
  const whole = total(amounts);
  let left = 0;
  const parts = PLACES.map((place) => {
    const share = ratio(amounts[place], whole) ?? 0;
    const part = { place, share, left };
    left += share;
    return part;
  });
  const allocated = ratio(amounts.used + amounts.idle, whole) ?? 0;
  const said = parts.map(({ place, share }) => `${place} ${percent(share)}`).join(", ");
  return html`<svg
    class="drawing places"
    height=${HEIGHT}
    role="img"
    aria-label="What is paid, by place: ${said}"
  >
    ${allocated > 0 ? bracket(allocated) : nothing}
    ${parts.filter(({ share }) => share > 0).map((part) => segment(part, amounts, currency))}
  </svg>`;
}

function bracket(share: number): TemplateResult {
  const wide = `${(share * 100).toFixed(3)}%`;
  return svg`<line class="bracket" x1="0.5" x2="0.5" y1="16" y2="22"></line>
    <line class="bracket" x1="0" x2=${wide} y1="16" y2="16"></line>
    <line class="bracket" x1=${wide} x2=${wide} y1="16" y2="22"></line>
    <text class="over" x="6" y="11">allocated ${percent(share)}</text>`;
}

function segment(
  part: { place: Place; share: number; left: number },
  amounts: Amounts,
  currency: string,
): TemplateResult {
  const { place, share, left } = part;
  const of = (ratio: number) => `${(ratio * 100).toFixed(3)}%`;
  const title = `${place}: ${exact(amounts[place])} ${currency} (${percent(share)})`;
  return svg`<g>
    <title>${title}</title>
    <rect class="part part-${place}" x=${of(left)} y="24" width=${of(share)} height="36"></rect>
    ${
      share > 0.13
        ? svg`<svg x=${of(left)} y="24" width=${of(share)} height="36">
            <rect class="plate" x="6" y="9" rx="3" height="18"
              width=${plateWidth(place, share)}></rect>
            <text class="in" x="11" y="22">${place} ${percent(share, 0)}</text>
          </svg>`
        : nothing
    }
  </g>`;
}

/** The ground behind a word on a pattern; the type has about 6.5 px a letter. */
function plateWidth(place: Place, share: number): number {
  return Math.round(`${place} ${percent(share, 0)}`.length * 6.5 + 11);
}

export interface PlacesColumn {
  head: string;
  amounts: Amounts | null;
  /** Why there are no amounts. */
  why?: string;
}

/** The same as a statement: rounded parts that add up to the rounded total. */
export function placesTable(columns: PlacesColumn[], currency: string): TemplateResult {
  const shown = columns.map((column) => ({ ...column, texts: texts(column.amounts) }));
  const row = (name: TemplateResult, at: keyof Texts, kind: string) =>
    html`<tr class=${kind}>
      <th scope="row">${name}</th>
      ${shown.map(({ texts, amounts, why }) => cells(texts, at, amounts, why ?? ""))}
    </tr>`;
  const place = (place: Place, kind: string) =>
    row(html`${swatch(place)}${place} <small>${MEANING[place]}</small>`, place, kind);
  return html`<div class="scroll" role="region" aria-label="Statement by place" tabindex="0">
    <table class="statement">
      <caption class="hidden">
        What is paid, by place, in ${currency}
      </caption>
      <thead>
        <tr>
          <th scope="col">${currency}</th>
          ${shown.map(
            ({ head }) =>
              html`<th scope="col" class="numeric">${head}</th>
                <th scope="col" class="numeric wide">share</th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${row(html`allocated <small>used and idle</small>`, "allocated", "sub")}
        ${place("used", "under")} ${place("idle", "under")} ${place("unallocated", "")}
        ${place("overhead", "")} ${row(html`paid`, "paid", "sum")}
      </tbody>
    </table>
  </div>`;
}

type Texts = Record<Place | "allocated" | "paid", { text: string; share: string; exact: string }>;

function texts(amounts: Amounts | null): Texts | null {
  if (!amounts) return null;
  const whole = total(amounts);
  const digits = digitsFor([whole]);
  const parts = formatParts(
    PLACES.map((place) => amounts[place]),
    digits,
  );
  const one = (amount: Pico, text: string) => ({
    text,
    share: percent(ratio(amount, whole)),
    exact: exact(amount),
  });
  const places = PLACES.map((place, at) => [place, one(amounts[place], parts[at] ?? "")] as const);
  const allocated = amounts.used + amounts.idle;
  const sum = (shown: (string | undefined)[]) =>
    formatParts([shown.reduce((sum, text) => sum + parse(plainText(text ?? "0")), 0n)], digits)[0];
  return {
    ...(Object.fromEntries(places) as Record<Place, ReturnType<typeof one>>),
    allocated: one(allocated, sum(parts.slice(0, 2)) ?? ""),
    paid: one(whole, sum(parts) ?? ""),
  };
}

const plainText = (text: string): string => text.replaceAll(",", "").replace("−", "-");

function cells(
  texts: Texts | null,
  at: keyof Texts,
  amounts: Amounts | null,
  why: string,
): TemplateResult {
  const one = texts?.[at];
  if (!one || !amounts) {
    return html`<td class="numeric"><span class="unknown" title=${why}>unknown</span></td>
      <td class="numeric wide"></td>`;
  }
  return html`<td class="numeric" title=${one.exact}>${one.text}</td>
    <td class="numeric wide soft">${one.share}</td>`;
}

export function swatch(place: Place): TemplateResult {
  return html`<svg class="swatch" width="12" height="12" aria-hidden="true">
    <rect class="part part-${place}" width="12" height="12"></rect>
  </svg>`;
}
