/** A modal part whose state is in the address: closing it is going back to the page. */
import { html, nothing, type TemplateResult } from "lit-html";
import { ref } from "lit-html/directives/ref.js";
import type { App } from "../app.ts";

/** `names` are what the address has while it is open. */
export function dialog(
  app: App,
  names: readonly string[],
  title: string,
  content: TemplateResult,
): TemplateResult {
  const open = (element: Element | undefined) => {
    if (!(element instanceof HTMLDialogElement) || element.open) return;
    // It is put into the page first: a dialog that is not in it cannot be shown.
    queueMicrotask(() => {
      if (element.isConnected && !element.open) element.showModal();
    });
  };
  const closed = () => {
    app.refused = null;
    app.set(Object.fromEntries(names.map((name) => [name, null])));
  };
  const outside = (event: MouseEvent) => {
    const element = event.currentTarget as HTMLDialogElement;
    if (event.target === element) element.close();
  };
  const close = (event: Event) => (event.currentTarget as Element).closest("dialog")?.close();
  return html`<dialog
    aria-labelledby="dialog-title"
    ${ref(open)}
    @close=${closed}
    @click=${outside}
  >
    <div class="inside">
      <header>
        <h2 id="dialog-title">${title}</h2>
        <button type="button" class="quiet" @click=${close}>Close</button>
      </header>
      ${content}
      ${app.refused ? html`<p class="state refused" role="alert">${app.refused}</p>` : nothing}
    </div>
  </dialog>`;
}
