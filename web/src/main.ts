/**
 * The dashboard. Start here: `App` (app.ts) is the state, `shell` (shell.ts) draws it, each page is
 * one file in pages/ that turns answers of the server into tables and charts.
 */
import { render } from "lit-html";
import { App } from "./app.ts";
import { RECOLOURED } from "./charts/element.ts";
import { linkOf } from "./router.ts";
import { apply, DARK } from "./settings.ts";
import { shell } from "./shell.ts";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/pages.css";

const root = document.querySelector<HTMLElement>("#app");
if (root) start(root);

function start(root: HTMLElement): void {
  root.replaceChildren();
  let theme = "";
  const app = new App((app) => {
    const from = performance.now();
    render(shell(app), root);
    performance.measure("farthing-draw", { start: from, end: performance.now() });
    if (theme !== app.settings.theme) {
      theme = app.settings.theme;
      document.dispatchEvent(new Event(RECOLOURED));
    }
  });
  document.addEventListener("click", (event) => {
    const to = linkOf(event);
    if (!to) return;
    event.preventDefault();
    app.go(to.pathname + to.search + to.hash);
  });
  DARK.addEventListener("change", () => {
    apply(app.settings.theme);
    document.dispatchEvent(new Event(RECOLOURED));
  });
  // Ages, and the seconds to the next try, go on while nothing else happens.
  setInterval(() => {
    if (!document.hidden) app.redraw();
  }, 5_000);
  void app.start();
}
