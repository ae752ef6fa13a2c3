/** What is around every page: the menu, the state of the line, preferences. */
import { html, nothing, type TemplateResult } from "lit-html";
import { asProblem, valueOf } from "./api/cache.ts";
import type { Health, Session, Tick } from "./api/types.ts";
import type { App } from "./app.ts";
import { duration } from "./money/number.ts";
import { zoneName } from "./money/time.ts";
import { login } from "./pages/login.ts";
import { type Page, PAGES } from "./pages/index.ts";
import { patterns } from "./parts/places.ts";
import { refused } from "./parts/state.ts";
import { badge, time } from "./parts/text.ts";
import { href } from "./router.ts";
import type { Theme } from "./settings.ts";

export function shell(app: App): TemplateResult {
  const { access } = app;
  if (access.state === "locked") {
    title("Log in");
    return html`<main id="main" class="alone">${login(app, access)}</main>`;
  }
  const page = PAGES.find(({ id }) => id === app.route.page);
  title(page?.name ?? "No such page");
  return html`<a class="skip" href="#main">Skip to the figures</a>
    ${patterns()}
    <div class="frame">
      ${side(app, page)}
      <div class="stage">
        ${banner(app)}
        <main id="main" tabindex="-1">
          ${
            access.state === "open"
              ? drawn(app, page)
              : html`<p class="state" aria-busy="true">Asking the server.</p>`
          }
        </main>
      </div>
      <p class="hidden" role="status">${app.said}</p>
    </div>`;
}

function title(name: string): void {
  const wanted = `${name} · Farthing`;
  if (document.title !== wanted) document.title = wanted;
}

/** A page that fails (an answer of another shape, say) takes nothing else with it. */
function drawn(app: App, page: Page | undefined): TemplateResult {
  if (!page) return missing(app);
  try {
    return page.draw(app);
  } catch (error) {
    const problem = asProblem(error);
    return html`<h1 id="title" tabindex="-1">${page.name}</h1>
      ${refused(problem)}`;
  }
}

function missing(app: App): TemplateResult {
  return html`<h1 id="title" tabindex="-1">No such page</h1>
    <p>There is no page “${app.route.page}”. <a href="/">Now</a> shows what is going on.</p>`;
}

function side(app: App, page: Page | undefined): TemplateResult {
  const toggle = () => {
    app.menu = !app.menu;
    app.redraw();
  };
  return html`<header class="side ${app.menu ? "open" : ""}">
    <div class="brand">
      <a href="/" class="name">
        <img src="/favicon.svg" width="22" height="22" alt="" /> Farthing</a
      >
      <button
        type="button"
        class="menu"
        aria-expanded=${app.menu ? "true" : "false"}
        aria-controls="menu"
        @click=${toggle}
      >
        Menu
      </button>
    </div>
    <div id="menu" class="fold">
      <nav aria-label="Pages">
        <ul>
          ${PAGES.map(
            ({ id, name }) =>
              html`<li>
                <a href=${href(id)} aria-current=${id === page?.id ? "page" : nothing}>${name}</a>
              </li>`,
          )}
        </ul>
      </nav>
      ${app.access.state === "open" ? about(app, app.access.session) : nothing} ${choices(app)}
    </div>
  </header>`;
}

function about(app: App, session: Session): TemplateResult {
  const health = valueOf(app.read<Health>("/health", 10_000));
  const tick = valueOf(app.read<Tick>("/tick", 60_000));
  return html`<dl class="about">
    <div>
      <dt>Cluster</dt>
      <dd>${health?.cluster ?? tick?.world.cluster ?? "unknown"}</dd>
    </div>
    ${
      health?.mode
        ? html`<div>
            <dt>Mode</dt>
            <dd>${health.mode}</dd>
          </div>`
        : nothing
    }
    <div>
      <dt>Last tick</dt>
      <dd>${tick ? time(app, tick.at) : "none yet"}</dd>
    </div>
    <div>
      <dt>Connection</dt>
      <dd>${lineBadge(app)}</dd>
    </div>
    ${session.login === "none" ? nothing : who(app, session)}
  </dl>`;
}

function who(app: App, session: Session): TemplateResult {
  const out = () => {
    const left = () => {
      // A session at the provider would let the next one in without a word.
      if (session.leave) location.assign(session.leave);
      else void app.leave();
    };
    void app.client.post("/session/end", {}).then(left, left);
  };
  return html`<div>
    <dt>You</dt>
    <dd>
      ${session.user.name} <small>${session.user.role}</small>
      <button type="button" class="quiet" @click=${out}>Log out</button>
    </dd>
  </div>`;
}

function lineBadge(app: App): TemplateResult {
  switch (app.line.state) {
    case "live":
      return badge("good", "live", "events come as they happen");
    case "asking":
      return badge("plain", "every 5 s", "no events; the server is asked at intervals");
    case "connecting":
      return badge("plain", "connecting");
    case "gone":
      return badge("warn", "gone");
  }
}

function choices(app: App): TemplateResult {
  const theme = (event: Event) =>
    app.prefer({ theme: (event.currentTarget as HTMLSelectElement).value as Theme });
  const zone = () => app.prefer({ zone: app.settings.zone === "utc" ? "local" : "utc" });
  const themes: [Theme, string][] = [
    ["auto", "as the system"],
    ["light", "light"],
    ["dark", "dark"],
  ];
  return html`<div class="choices">
    <label class="control"
      ><span>Colours</span>
      <select @change=${theme}>
        ${themes.map(
          ([value, text]) =>
            html`<option value=${value} ?selected=${value === app.settings.theme}>${text}</option>`,
        )}
      </select></label
    >
    <button type="button" class="quiet" @click=${zone}>
      Times in ${zoneName(app.settings.zone)}<span class="hidden">, change</span>
    </button>
  </div>`;
}

/** What everybody must know whichever page they are on. */
function banner(app: App): TemplateResult | typeof nothing {
  const { line } = app;
  if (line.state === "gone") {
    const wait = Math.max(0, line.retry_at - Date.now()) / 1000;
    return html`<div class="banner" role="alert">
      <p>
        <strong>The server does not answer.</strong> What is shown is of before
        <time datetime=${new Date(line.since).toISOString()}
          >${new Date(line.since).toLocaleTimeString("en-GB")}</time
        >.
      </p>
      <p>
        ${wait < 1 ? "Trying now." : `Next try in ${duration(wait)}.`}
        <button type="button" @click=${() => app.retryNow()}>Try now</button>
      </p>
    </div>`;
  }
  const health = app.access.state === "open" ? valueOf(app.read<Health>("/health", 10_000)) : null;
  if (!health) return nothing;
  // As it should be, and there is something to say: that there are no more ticks.
  if (health.status === "ok") {
    return health.why
      ? html`<div class="banner notice" role="status"><p>${sentence(health.why)}</p></div>`
      : nothing;
  }
  const head = health.status === "starting" ? "The loop starts." : "The loop does not tick.";
  return html`<div class="banner" role="status">
    <p>
      <strong>${head}</strong>
      ${health.why ?? health.last_error ?? "Figures may be old."}
    </p>
  </div>`;
}

/** `the simulated time is over` as a sentence of its own. */
function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
