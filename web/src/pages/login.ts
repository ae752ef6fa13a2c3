/** Log-in: by a token, or at the organisation's provider. The token is kept by the server only. */
import { html, nothing, type TemplateResult } from "lit-html";
import { asProblem } from "../api/cache.ts";
import { BASE } from "../api/client.ts";
import type { Session } from "../api/types.ts";
import type { Access, App } from "../app.ts";

type Locked = Extract<Access, { state: "locked" }>;

export function login(app: App, access: Locked): TemplateResult {
  const has = (way: string) => access.ways.length === 0 || access.ways.includes(way);
  const { page, query } = app.route;
  const here = page === "login" ? "/" : location.pathname + location.search;
  const refused = access.refused ?? (page === "login" ? why(query.get("refused")) : null);
  return html`<section class="card login" aria-labelledby="title">
    <p class="brand"><img src="/favicon.svg" width="28" height="28" alt="" /> Farthing</p>
    <h1 id="title" tabindex="-1">Log in</h1>
    ${refused ? html`<p class="state refused" role="alert">${refused}</p>` : nothing}
    ${
      has("oidc")
        ? html`<p>
            <a class="button" href="${BASE}/login/oidc?return=${encodeURIComponent(here)}"
              >Log in at your provider</a
            >
          </p>`
        : nothing
    }
    ${has("token") ? tokenForm(app, access) : nothing}
  </section>`;
}

/** What the server means by its word, where a log-in at the provider led to nothing. */
const WHY: Record<string, string> = {
  state: "This log-in was not begun in this browser, or too long ago. Begin again.",
  denied: "Your provider refused the log-in.",
  "no-grant": "None of your groups may do anything here. Ask who runs this server.",
  provider: "Your provider cannot be asked at the moment. Try again in a minute.",
  token: "What your provider says of you could not be verified. Ask who runs this server.",
  wait: "Too many attempts failed from here. Try again in a minute.",
};

function why(word: string | null): string | null {
  return word === null ? null : (WHY[word] ?? "The log-in led to nothing. Begin again.");
}

function tokenForm(app: App, access: Locked): TemplateResult {
  const send = (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const input = form.elements.namedItem("token") as HTMLInputElement;
    void enter(app, access, input.value.trim()).then(() => (input.value = ""));
  };
  return html`<form @submit=${send}>
    <label class="control"
      ><span>API token</span>
      <input name="token" type="password" required autocomplete="off" spellcheck="false" />
    </label>
    <button type="submit">Log in with the token</button>
  </form>`;
}

async function enter(app: App, access: Locked, token: string): Promise<void> {
  try {
    app.enter(await app.client.post<Session>("/session", { token }));
  } catch (error) {
    const problem = asProblem(error);
    const wrong = problem.status === 401 ? "This token is not known, or it has expired." : null;
    app.lock(access.ways, wrong ?? problem.detail);
  }
}
