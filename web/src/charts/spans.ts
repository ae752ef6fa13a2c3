/** A statement by the hour or day, as one span of time after the other. */
import type { Cost, CostRow, CostSpan } from "../api/types.ts";
import { parse, plain, type Pico } from "../money/decimal.ts";
import { derive } from "../parts/derive.ts";
import { groupBy } from "../parts/group.ts";

const HOUR_MS = 3_600_000;

type Amounts = Pick<CostRow, "used" | "idle" | "unallocated" | "overhead" | "total">;

/** Spans in order, those without charges left out: nothing was paid then, or it is not posted. */
export function spansOf(cost: Cost): CostSpan[] {
  return derive(cost, "spans", () => {
    const key = cost.by.find((key) => key === "hour" || key === "day");
    if (key === undefined) return [];
    const groups = groupBy(cost.rows, (row) => String(row[key]));
    return [...groups]
      .map(([from, rows]) => span(from, rows, key === "hour" ? HOUR_MS : 24 * HOUR_MS))
      .sort((a, b) => Date.parse(a.window.from) - Date.parse(b.window.from));
  });
}

function span(from: string, rows: CostRow[], length_ms: number): CostSpan {
  const start = Date.parse(from);
  const sum = (name: keyof Amounts) =>
    plain(rows.reduce<Pico>((sum, row) => sum + parse(row[name]), 0n));
  return {
    window: {
      from: new Date(start).toISOString(),
      to: new Date(start + length_ms).toISOString(),
    },
    rows,
    paid: sum("total"),
    used: sum("used"),
    idle: sum("idle"),
    unallocated: sum("unallocated"),
    overhead: sum("overhead"),
  };
}
