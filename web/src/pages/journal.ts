/** Journal: what was decided and done, newest first; each record holds the hash of the last. */
import { html, nothing, type TemplateResult } from "lit-html";
import { path } from "../api/client.ts";
import { inWords } from "../api/records.ts";
import type { JournalRecord, Page } from "../api/types.ts";
import type { App } from "../app.ts";
import { format, parse } from "../money/decimal.ts";
import { count } from "../money/number.ts";
import { type Choice, select } from "../parts/controls.ts";
import { saveCsv } from "../parts/files.ts";
import { empty, when } from "../parts/state.ts";
import { time } from "../parts/text.ts";
import { changed } from "../router.ts";

const LIMIT = 50;

const KIND: Choice = {
  name: "kind",
  label: "Kind",
  first: "",
  clears: ["cursor", "record"],
  values: [
    ["", "all"],
    ["started", "started"],
    ["planned", "planned"],
    ["approved", "approved"],
    ["reserved", "reserved"],
    ["intended", "intended"],
    ["receipted", "receipted"],
    ["settled", "settled"],
    ["verified", "verified"],
    ["undone", "undone"],
    ["noted", "noted"],
    ["closed", "closed"],
  ],
};

export function journal(app: App): TemplateResult {
  const { query } = app.route;
  const [kind, cursor] = [query.get("kind"), query.get("cursor")];
  // A page of the past does not change.
  const every_ms = cursor ? Infinity : 3_000;
  const found = app.read<Page<JournalRecord>>(
    path("/journal", { kind, cursor, limit: LIMIT }),
    every_ms,
  );
  return html`<h1 id="title" tabindex="-1">Journal</h1>
    <div class="controls">${select(app, KIND)}</div>
    <section class="card" aria-label="Records">
      <p class="note">
        Each record holds the hash of the one before it; <code>farthing verify</code> checks the
        chain.
      </p>
      ${when(found, (found) => records(app, found))}
    </section>`;
}

function records(app: App, found: Page<JournalRecord>): TemplateResult {
  const { query } = app.route;
  if (found.items.length === 0) {
    const kind = query.get("kind");
    return empty("No records.", kind ? `None is of the kind ${kind}.` : "Nothing happened yet.");
  }
  const save = () =>
    saveCsv("journal", {
      head: ["seq", "at", "kind", "hash", "body"],
      rows: found.items.map((one) => [
        one.seq,
        one.at,
        one.kind,
        one.hash ?? "",
        JSON.stringify(one.body),
      ]),
    });
  return html`<ul class="rows journal">
      ${found.items.map((one) => record(app, one))}
    </ul>
    <div class="below">
      <nav class="pager" aria-label="Pages of the journal">
        ${query.get("cursor") ? html`<a href=${changed(app.route, { cursor: null })}>Newest</a>` : nothing}
        ${found.next ? html`<a href=${changed(app.route, { cursor: found.next })}>Older</a>` : nothing}
      </nav>
      <button type="button" class="quiet" @click=${save}>
        CSV<span class="hidden"> of these records</span>
      </button>
    </div>`;
}

function record(app: App, one: JournalRecord): TemplateResult {
  const open = app.route.query.get("record") === String(one.seq);
  const link = changed(app.route, { record: open ? null : String(one.seq) });
  return html`<li>
    <a href=${link} aria-expanded=${open ? "true" : "false"} class="numeric seq"
      >${count(one.seq)}</a
    >
    <span>${time(app, one.at, "second")}</span>
    <a href=${changed(app.route, { kind: one.kind, cursor: null, record: null })}>${one.kind}</a>
    ${
      open
        ? html`<pre class="why">${JSON.stringify(one.body, null, 2)}</pre>
            <code class="why">${one.hash}</code>`
        : html`<a href=${link} class="soft brief" tabindex="-1">${shorter(inWords(one.body))}</a>`
    }
  </li>`;
}

/** Amounts of the journal are exact: a line has them to the cent, the details as they are. */
function shorter(text: string): string {
  return text.replace(
    /(-?\d+\.\d+) (?=[A-Z]{3}\b)/g,
    (_, number: string) => `${format(parse(number))} `,
  );
}
