/** The shapes of `/budgets` and `/anomalies`. */
import type { Cut } from "./types.ts";

export interface Budget {
  budget: string;
  /** `all`, `team=NAME`, `label:NAME=VALUE`, or several of them. */
  scope: string;
  /** The budget just above it: what counts here counts there, too. */
  parent: string | null;
  limit: string | null;
  gpu_hours_limit: number | null;
  gpu_hours: number;
  gpu_hours_committed: number;
  gpu_hours_reserved: number;
  gpu_hours_left: number | null;
  /** The limit of later periods, in its unit. */
  base: string;
  /** What the period before left, in its unit; `null` where nothing goes on. */
  carried: string | null;
  /** What an operator allowed for a while. */
  allowed: { until: string | null; why: string; by: string } | null;
  period: { name: string; from: string; to: string };
  hard: boolean;
  currency: string;
  spent: string;
  committed: string;
  reserved: string;
  exposure: string;
  left: string | null;
  /** The part of the limit that is gone. */
  gone: number | null;
  rung: string | null;
  rung_mode: string | null;
  escalate: { at: number; do: string; mode: string }[];
  /** Spending up to the end of each day of the period so far. */
  burn: { at: string; spent: string }[];
  forecast: Forecast | null;
  /** The day on which the limit is reached, at the usual pace. */
  runs_out: string | null;
  /** What the newest plan takes away to hold it. */
  cuts: Cut[];
  /** What its ladder takes away, or would. */
  relief: Relief | null;
  /** What holds the most of it and is not spent yet. */
  drivers: { what: string; amount: string; undo: string }[];
}

export interface Relief {
  /** In the unit of the limit. */
  need: string;
  enough: boolean;
  /** Nothing that frees as much loses less. */
  proven: boolean;
  cuts: {
    workload: string;
    do: "suspend" | "scale";
    offer: string | null;
    replicas_from: number | null;
    replicas_to: number | null;
    /** The part of a service's requests that is then carried. */
    carried: number | null;
    frees: string;
    /** Of a limit in GPU-hours. */
    frees_gpu_hours: string | null;
    loses: string;
    loses_value: string;
    step: string | null;
  }[];
}

export interface Anomaly {
  of: "team" | "workload";
  name: string;
  hour: string;
  spent: string;
  usual: string;
  bound: string;
  currency: string;
}

export interface Forecast {
  p10: string;
  p50: string;
  p90: string;
  /** Past weeks for which the same was forecast, and those that came from `p10` to `p90`. */
  tried: number;
  held: number;
}
