/** Times: RFC 3339 in UTC on the wire, the viewer's zone (or UTC) on the page. */

export type Zone = "local" | "utc";

export type Precision = "minute" | "second" | "day";

const OPTIONS: Record<Precision, Intl.DateTimeFormatOptions> = {
  day: { day: "numeric", month: "short", year: "numeric" },
  minute: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  second: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" },
};

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: Zone, options: Intl.DateTimeFormatOptions, key: string): Intl.DateTimeFormat {
  const name = `${zone} ${key}`;
  let found = formats.get(name);
  if (!found) {
    const base: Intl.DateTimeFormatOptions = { ...options, hourCycle: "h23" };
    found = new Intl.DateTimeFormat("en-GB", zone === "utc" ? { ...base, timeZone: "UTC" } : base);
    formats.set(name, found);
  }
  return found;
}

/** `2 Nov, 03:00`. What is no time is shown as it is. */
export function show(at: string | number, zone: Zone, precision: Precision = "minute"): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  return format(zone, OPTIONS[precision], precision).format(date);
}

/** For hovering: `2026-11-02 03:00:00 UTC`. */
export function utc(at: string | number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** For the marks of an axis: the day at midnight and over weeks, else the hour. */
export function axis(at: number, span_s: number, zone: Zone): string {
  const hour = format(zone, { hour: "2-digit", minute: "2-digit" }, "axis-hour").format(at);
  const days = hour === "00:00" || span_s > 12 * 86_400;
  return days ? format(zone, { day: "numeric", month: "short" }, "axis-day").format(at) : hour;
}

/** `Europe/Berlin`, or `UTC`. */
export function zoneName(zone: Zone): string {
  return zone === "utc" ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone;
}

export function seconds(window: { from: string; to: string }): number {
  return (Date.parse(window.to) - Date.parse(window.from)) / 1000;
}
