/** Arithmetic and texts of money: no browser. */
import { expect, test } from "@playwright/test";
import * as money from "../src/money/decimal.ts";
import { duration, percent } from "../src/money/number.ts";
import { axis, show, utc } from "../src/money/time.ts";

test("decimal strings are read exactly, and nothing else is", () => {
  expect(money.parse("0.1") + money.parse("0.2")).toBe(money.parse("0.3"));
  expect(money.parse("150000.000000000001")).toBe(150_000_000_000_000_001n);
  expect(money.parse("-12.5")).toBe(-12_500_000_000_000n);
  const large = "170141183460469231731687303.715884105727";
  expect(money.plain(money.parse(large))).toBe(large);
  for (const wrong of ["", "1e3", "1,000", "0.0000000000001", "NaN", ".5", "5.", "12 USD"]) {
    expect(() => money.parse(wrong), wrong).toThrow(RangeError);
  }
});

test("what is not zero never reads as zero", () => {
  const cases: [string, string][] = [
    ["0", "0.00"],
    ["0.001", "<0.01"],
    ["-0.001", ">−0.01"],
    ["0.005", "0.01"],
    ["-0.005", "−0.01"],
    ["0.004999999999", "<0.01"],
    ["1234567.891", "1,234,567.89"],
    ["-1234.5", "−1,234.50"],
    ["999.995", "1,000.00"],
  ];
  for (const [text, shown] of cases) expect(money.format(money.parse(text)), text).toBe(shown);
  expect(money.exact(money.parse("1234.567800"))).toBe("1,234.5678");
  expect(money.exact(money.parse("5"))).toBe("5.00");
  expect(money.plain(money.parse("-0.000000000001"))).toBe("-0.000000000001");
});

test("rounded parts add up to the rounded total", () => {
  const units = (text: string) => BigInt(text.replace(/[.,]/g, "").replace("−", "-"));
  let state = 12345;
  const next = () => (state = (state * 1103515245 + 12345) % 2147483648);
  for (let round = 0; round < 2000; round += 1) {
    const parts = Array.from({ length: 1 + (next() % 6) }, () => {
      const size = BigInt(next()) * BigInt(next() % 1000);
      return next() % 5 === 0 ? -size : size;
    });
    const shown = money.formatParts(parts).map(units);
    const whole = money.sum(shown) === money.rounded(money.sum(parts), 2);
    const near = shown.every((one, at) => {
      const far = money.abs(one * 10_000_000_000n - (parts[at] ?? 0n));
      return far <= 10_000_000_000n;
    });
    if (!whole || !near) throw new Error(`${parts.join()} is shown as ${shown.join()}`);
  }
  expect(money.formatParts(["0.333", "0.333", "0.334"].map(money.parse))).toEqual([
    "0.33",
    "0.33",
    "0.34",
  ]);
});

test("rates and ratios", () => {
  expect(money.perHour(money.parse("1.649155916667"), 300)).toBe(19_789_871_000_004n);
  expect(money.perHour(1n, 0)).toBeNull();
  expect(money.ratio(money.parse("1"), money.parse("3"))).toBeCloseTo(1 / 3, 9);
  expect(money.ratio(5n, 0n)).toBeNull();
  expect(money.digitsFor([money.parse("0.2"), money.parse("-0.9")])).toBe(4);
  expect(money.digitsFor([money.parse("0.2"), money.parse("1")])).toBe(2);
  expect(money.digitsFor([])).toBe(2);
});

test("numbers and durations", () => {
  expect(percent(null)).toBe("unknown");
  expect(percent(0.69678)).toBe("69.7 %");
  expect(percent(0.0001)).toBe("<0.1 %");
  expect(percent(0)).toBe("0.0 %");
  expect(percent(-0.015, 0)).toBe("−2 %");
  const cases: [number, string][] = [
    [0, "0 s"],
    [0.25, "250 ms"],
    [59.6, "1 min"],
    [9000, "2 h 30 min"],
    [86_400, "1 d"],
    [90_061, "1 d 1 h"],
    [-60, "−1 min"],
  ];
  for (const [seconds, text] of cases) expect(duration(seconds)).toBe(text);
});

test("times are of the viewer, and UTC beside them", () => {
  expect(show("2026-11-02T03:00:00Z", "utc")).toBe("2 Nov, 03:00");
  expect(utc("2026-11-02T03:00:00.5Z")).toBe("2026-11-02 03:00:00 UTC");
  expect(show("no time", "utc")).toBe("no time");
  const noon = Date.parse("2026-11-02T12:00:00Z");
  expect(axis(noon, 86_400, "utc")).toBe("12:00");
  expect(axis(noon, 30 * 86_400, "utc")).toBe("2 Nov");
  expect(axis(noon - 12 * 3_600_000, 86_400, "utc")).toBe("2 Nov");
});
