/**
 * Tables: sorted by a click or a key on a column's head, in pages, the state in the address, the
 * rows to take along as CSV.
 */
import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { App } from "../app.ts";
import { changed } from "../router.ts";
import { count } from "../money/number.ts";
import { derive } from "./derive.ts";
import { type Cell, saveCsv } from "./files.ts";

export type SortValue = bigint | number | string | null;

export interface Column<R> {
  id: string;
  head: string;
  /** What it means, on hover. */
  title?: string;
  cell(row: R): unknown;
  /** Absent: cannot be sorted by. */
  sort?(row: R): SortValue;
  /** Absent: not in the file. */
  csv?(row: R): Cell;
  numeric?: boolean;
  /** Left out on a narrow screen, where the row's own page has it. */
  wide?: boolean;
}

export interface TableSpec<R> {
  /** In the address (`id.sort`, `id.page`) and in file names. */
  id: string;
  /** For those who hear the page. */
  label: string;
  columns: Column<R>[];
  rows: readonly R[];
  key(row: R): string;
  /** Column to sort by at first; `-total` is downwards. Absent: as they come. */
  sort?: string;
  page?: number;
  empty: TemplateResult;
  /** Rows that sum up, below. */
  foot?: TemplateResult | typeof nothing;
  chosen?(row: R): boolean;
}

export function table<R>(app: App, spec: TableSpec<R>): TemplateResult {
  if (spec.rows.length === 0) return spec.empty;
  const by = app.route.query.get(`${spec.id}.sort`) ?? spec.sort ?? "";
  const sorted = order(spec, by);
  const size = spec.page ?? 25;
  const pages = Math.ceil(sorted.length / size);
  const asked = Number.parseInt(app.route.query.get(`${spec.id}.page`) ?? "1", 10) || 1;
  const page = Math.min(Math.max(1, asked), pages);
  const shown = sorted.slice((page - 1) * size, page * size);
  const line = (row: R) =>
    html`<tr class=${spec.chosen?.(row) ? "chosen" : nothing}>
      ${spec.columns.map((column, at) => body(column, row, at))}
    </tr>`;
  return html`<div class="scroll" role="region" aria-label="${spec.label}, table" tabindex="0">
      <table>
        <caption class="hidden">
          ${spec.label}
        </caption>
        <thead>
          <tr>
            ${spec.columns.map((column) => head(app, spec, column, by))}
          </tr>
        </thead>
        <tbody>
          ${repeat(shown, spec.key, line)}
        </tbody>
        ${spec.foot ?? nothing}
      </table>
    </div>
    <div class="below">
      ${pages > 1 ? pager(app, spec.id, page, pages, sorted.length) : nothing}
      <button type="button" class="quiet" @click=${() => saveRows(spec, sorted)}>
        CSV<span class="hidden"> of ${spec.label}</span>
      </button>
    </div>`;
}

function body<R>(column: Column<R>, row: R, at: number): TemplateResult {
  const kind = `${column.numeric ? "numeric" : ""} ${column.wide ? "wide" : ""}`;
  return at === 0
    ? html`<th scope="row" class=${kind}>${column.cell(row)}</th>`
    : html`<td class=${kind}>${column.cell(row)}</td>`;
}

function head<R>(app: App, spec: TableSpec<R>, column: Column<R>, by: string): TemplateResult {
  const kind = `${column.numeric ? "numeric" : ""} ${column.wide ? "wide" : ""}`;
  const title = column.title ?? nothing;
  if (!column.sort) return html`<th scope="col" class=${kind} title=${title}>${column.head}</th>`;
  const up = by === column.id;
  const down = by === `-${column.id}`;
  const next = down || (!up && !column.numeric) ? column.id : `-${column.id}`;
  const sort = up ? "ascending" : down ? "descending" : nothing;
  const sign = up ? "▲" : down ? "▼" : "";
  const arrow = html`<span aria-hidden="true" class="arrow">${sign}</span>`;
  const change = () => app.set({ [`${spec.id}.sort`]: next, [`${spec.id}.page`]: null }, true);
  return html`<th scope="col" class=${kind} title=${title} aria-sort=${sort}>
    <button type="button" class="sort" @click=${change}>
      ${column.numeric ? arrow : nothing}${column.head}${column.numeric ? nothing : arrow}
    </button>
  </th>`;
}

/** Sorted once for the same rows and column; unknown comes last, whichever way. */
function order<R>(spec: TableSpec<R>, by: string): readonly R[] {
  const column = spec.columns.find((column) => column.id === by.replace(/^-/, ""));
  const value = column?.sort;
  if (!value) return spec.rows;
  const way = by.startsWith("-") ? -1 : 1;
  return derive(spec.rows, `sorted ${by}`, () => {
    const keyed = spec.rows.map((row) => ({ row, value: value(row) }));
    keyed.sort((a, b) => {
      if (a.value === null || b.value === null) {
        return Number(a.value === null) - Number(b.value === null);
      }
      return a.value < b.value ? -way : a.value > b.value ? way : 0;
    });
    return keyed.map(({ row }) => row);
  });
}

function pager(app: App, id: string, page: number, pages: number, rows: number): TemplateResult {
  const to = (page: number) => changed(app.route, { [`${id}.page`]: String(page) });
  const link = (text: string, to_page: number, there: boolean) =>
    there
      ? html`<a href=${to(to_page)}>${text}</a>`
      : html`<span class="soft" aria-hidden="true">${text}</span>`;
  return html`<nav class="pager" aria-label="Pages of the table">
    ${link("Previous", page - 1, page > 1)}
    <span>page ${page} of ${pages}, ${count(rows)} rows</span>
    ${link("Next", page + 1, page < pages)}
  </nav>`;
}

function saveRows<R>(spec: TableSpec<R>, rows: readonly R[]): void {
  const columns = spec.columns.filter((column) => column.csv);
  const head = columns.map((column) => column.id);
  const lines = rows.map((row) => columns.map((column) => column.csv?.(row) ?? null));
  saveCsv(spec.id, { head, rows: lines });
}
