/** Addresses: every state of a page is in its path and query, so that a link shows the same. */

export interface Route {
  /** `now`, `cost` and so on. */
  page: string;
  query: URLSearchParams;
}

export function routeOf(url: URL): Route {
  const name = url.pathname.split("/").find((part) => part !== "") ?? "now";
  return { page: name, query: url.searchParams };
}

/** The address of a page. */
export function href(page: string, query: Record<string, string | null | undefined> = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") given.set(name, value);
  }
  const text = given.toString();
  return `${page === "now" ? "/" : `/${page}`}${text ? `?${text}` : ""}`;
}

/** The address of the same page with some of its state changed. */
export function changed(route: Route, changes: Record<string, string | null>): string {
  return href(route.page, { ...Object.fromEntries(route.query), ...changes });
}

/** A click that stays in this page: no new tab, no download, no other site. */
export function linkOf(event: MouseEvent): URL | null {
  const modified = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (event.defaultPrevented || event.button !== 0 || modified) return null;
  for (const target of event.composedPath()) {
    const anchor = anchorOf(target);
    if (anchor) return inside(anchor);
  }
  return null;
}

function anchorOf(target: EventTarget): { href: string; plain: boolean } | null {
  if (target instanceof HTMLAnchorElement) {
    const plain = target.target === "" && !target.hasAttribute("download");
    return { href: target.href, plain };
  }
  if (target instanceof SVGAElement) {
    const url = new URL(target.href.baseVal, location.href);
    return { href: url.href, plain: true };
  }
  return null;
}

function inside(anchor: { href: string; plain: boolean }): URL | null {
  if (!anchor.plain || anchor.href === "") return null;
  const url = new URL(anchor.href);
  const here = url.origin === location.origin && !url.pathname.startsWith("/api/");
  const jump = url.pathname === location.pathname && url.search === location.search && url.hash;
  return here && !jump ? url : null;
}
