/**
 * Money as the server writes it: decimal strings, exact to 10^-12. Here it is a whole number of
 * those (`bigint`), so that sums are exact; floats appear only where something is drawn.
 */

/** Money in 10^-12 of its currency. */
export type Pico = bigint;

const SCALE = 12;
const ONE = 10n ** BigInt(SCALE);
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/** Reads a decimal string. Anything else, and more than 12 digits of fraction, is an error. */
export function parse(text: string): Pico {
  const found = DECIMAL.exec(text.trim());
  if (!found) throw new RangeError(`not an amount: ${JSON.stringify(text)}`);
  const [, sign, whole = "0", fraction = ""] = found;
  if (fraction.length > SCALE) throw new RangeError(`finer than 10^-${SCALE}: ${text}`);
  const value = BigInt(whole) * ONE + BigInt(fraction.padEnd(SCALE, "0"));
  return sign === "-" ? -value : value;
}

/** Reads a decimal string where there may be none. */
export function parseOrNull(text: string | null | undefined): Pico | null {
  return text === null || text === undefined ? null : parse(text);
}

export function sum(amounts: readonly Pico[]): Pico {
  return amounts.reduce((total, amount) => total + amount, 0n);
}

export const abs = (amount: Pico): Pico => (amount < 0n ? -amount : amount);

export const compare = (a: Pico, b: Pico): number => (a < b ? -1 : a > b ? 1 : 0);

/** `part / whole` for drawing; null when there is no whole. */
export function ratio(part: Pico, whole: Pico): number | null {
  if (whole === 0n) return null;
  return Number((part * 1_000_000_000n) / whole) / 1e9;
}

/** For the axis of a drawing, never for arithmetic. */
export const toNumber = (amount: Pico): number => Number(amount) / 1e12;

/** The amount per hour of what was paid in `seconds`; null for no time. */
export function perHour(amount: Pico, seconds: number): Pico | null {
  const milliseconds = BigInt(Math.round(seconds * 1000));
  return milliseconds > 0n ? (amount * 3_600_000n) / milliseconds : null;
}

/** The amount with nothing lost: `1234.5`. */
export function exact(amount: Pico): string {
  const size = abs(amount);
  const fraction = (size % ONE).toString().padStart(SCALE, "0").replace(/0+$/, "");
  const text = `${group(size / ONE)}.${fraction.padEnd(2, "0")}`;
  return amount < 0n ? `−${text}` : text;
}

/** For files: `-1234.5`, without grouping. */
export function plain(amount: Pico): string {
  const size = abs(amount);
  const fraction = (size % ONE).toString().padStart(SCALE, "0").replace(/0+$/, "");
  return `${amount < 0n ? "-" : ""}${size / ONE}.${fraction.padEnd(2, "0")}`;
}

/** Half away from zero, in units of 10^-digits. */
export function rounded(amount: Pico, digits: number): bigint {
  const unit = 10n ** BigInt(SCALE - digits);
  const size = (abs(amount) + unit / 2n) / unit;
  return amount < 0n ? -size : size;
}

/**
 * Rounded to `digits`, thousands apart. What is not zero never reads as zero: it is `<0.01`.
 */
export function format(amount: Pico, digits = 2): string {
  const units = rounded(amount, digits);
  if (units === 0n && amount !== 0n) {
    const least = `${digits > 0 ? `0.${"1".padStart(digits, "0")}` : "1"}`;
    return amount < 0n ? `>−${least}` : `<${least}`;
  }
  return unitsText(units, digits);
}

/**
 * Each part rounded so that what is shown adds up to the rounded total: the largest remainders get
 * the units that plain rounding would lose.
 */
export function formatParts(parts: readonly Pico[], digits = 2): string[] {
  const unit = 10n ** BigInt(SCALE - digits);
  const floors = parts.map((part) => (part >= 0n ? part / unit : (part - unit + 1n) / unit));
  let missing = rounded(sum(parts), digits) - sum(floors);
  const byRemainder = parts
    .map((part, at) => ({ at, rest: part - (floors[at] ?? 0n) * unit }))
    .sort((a, b) => compare(b.rest, a.rest) || a.at - b.at);
  const shown = [...floors];
  for (const { at } of byRemainder) {
    if (missing <= 0n) break;
    shown[at] = (shown[at] ?? 0n) + 1n;
    missing -= 1n;
  }
  return shown.map((units) => unitsText(units, digits));
}

/** Digits of fraction for a column: four where all of it is less than one unit, else two. */
export function digitsFor(amounts: readonly Pico[]): number {
  const most = amounts.reduce((most, one) => (abs(one) > most ? abs(one) : most), 0n);
  return most > 0n && most < ONE ? 4 : 2;
}

function unitsText(units: bigint, digits: number): string {
  const size = abs(units)
    .toString()
    .padStart(digits + 1, "0");
  const whole = group(BigInt(size.slice(0, size.length - digits)));
  const text = digits > 0 ? `${whole}.${size.slice(size.length - digits)}` : whole;
  return units < 0n ? `−${text}` : text;
}

function group(whole: bigint): string {
  return whole.toString().replace(/\B(?=(\d{3})+$)/g, ",");
}
