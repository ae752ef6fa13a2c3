/** What stands where figures are not there: yet, at all, or because the server refuses. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { Loadable } from "../api/cache.ts";
import type { Problem } from "../api/client.ts";

/** Draws what is there, or why it is not. */
export function when<T>(
  loadable: Loadable<T>,
  draw: (value: T) => TemplateResult | typeof nothing,
): TemplateResult | typeof nothing {
  switch (loadable.state) {
    case "loading":
      return html`<p class="state" aria-busy="true">Loading.</p>`;
    case "failed":
      return refused(loadable.problem);
    case "ready":
      return html`${loadable.refused ? old(loadable.refused, loadable.at) : nothing}${draw(
        loadable.value,
      )}`;
  }
}

export function refused(problem: Problem): TemplateResult {
  const head = problem.status === 0 ? "The server does not answer" : problem.title;
  const id = problem.request_id;
  return html`<div class="state refused" role="status">
    <p><strong>${sentence(head)}</strong> ${sentence(problem.detail)}</p>
    ${id ? html`<p class="soft">Request ${id}</p>` : nothing}
  </div>`;
}

function old(problem: Problem, at: number): TemplateResult | typeof nothing {
  // That the server is gone is said once, at the top of the page.
  if (problem.status === 0) return nothing;
  const time = new Date(at).toLocaleTimeString("en-GB");
  return html`<p class="state refused">
    As of ${time}; the newest could not be read: ${problem.detail}
  </p>`;
}

/** Nothing to show, and what would make it come. */
export function empty(what: string, how: string): TemplateResult {
  return html`<p class="state"><strong>${what}</strong> ${how}</p>`;
}

function sentence(text: string): string {
  const head = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(head) ? head : `${head}.`;
}
