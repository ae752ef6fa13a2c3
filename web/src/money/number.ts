/** Numbers that are no money: ratios, counts, hours, durations, sizes. */

/** What is shown where nothing is known; always with the reason near it. */
export const UNKNOWN = "unknown";

/** `69.7 %`; unknown stays unknown. */
export function percent(ratio: number | null | undefined, digits = 1): string {
  if (ratio === null || ratio === undefined || Number.isNaN(ratio)) return UNKNOWN;
  const shown = (ratio * 100).toFixed(digits);
  if (ratio > 0 && Number(shown) === 0) return `<${(10 ** -digits).toFixed(digits)} %`;
  return `${shown.replace("-", "−")} %`;
}

export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1,234.5` with a fixed number of digits. */
export function fixed(value: number, digits = 1): string {
  const [whole = "0", fraction] = Math.abs(value).toFixed(digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return `${value < 0 ? "−" : ""}${grouped}${fraction ? `.${fraction}` : ""}`;
}

/** `1 node`, `2 nodes`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `2 h 30 min`: two units at most. */
export function duration(seconds: number): string {
  if (seconds < 0) return `−${duration(-seconds)}`;
  if (seconds > 0 && seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  const whole = Math.round(seconds);
  const units: [number, string][] = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([size]) => whole >= size);
  if (first < 0) return "0 s";
  let rest = whole;
  const said: string[] = [];
  for (const [size, name] of units.slice(first, first + 2)) {
    const amount = Math.floor(rest / size);
    if (amount > 0) said.push(`${amount} ${name}`);
    rest -= amount * size;
  }
  return said.join(" ");
}
