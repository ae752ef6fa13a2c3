/** What this viewer prefers, kept in this browser only. */
import type { Zone } from "./money/time.ts";

export type Theme = "auto" | "light" | "dark";

export interface Settings {
  theme: Theme;
  zone: Zone;
}

const NAME = "farthing";

export function load(): Settings {
  const settings: Settings = { theme: "auto", zone: "local" };
  try {
    const kept = JSON.parse(localStorage.getItem(NAME) ?? "{}") as Partial<Settings>;
    if (kept.theme === "light" || kept.theme === "dark") settings.theme = kept.theme;
    if (kept.zone === "utc") settings.zone = kept.zone;
  } catch {
    // Storage that is off or damaged: the defaults are good.
  }
  return settings;
}

export function save(settings: Settings): void {
  try {
    localStorage.setItem(NAME, JSON.stringify(settings));
  } catch {
    // As above: the choice then lasts as long as the page.
  }
}

export const DARK = matchMedia("(prefers-color-scheme: dark)");

/** Puts the theme on the document; `auto` is what the system says now. */
export function apply(theme: Theme): void {
  const auto = DARK.matches ? "dark" : "light";
  document.documentElement.dataset["theme"] = theme === "auto" ? auto : theme;
}
