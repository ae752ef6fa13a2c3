/** The shapes of `/what-if/history` and `/offers/history`: what was, and what might have been. */

export interface PastRow {
  /** Null: all rows that are not listed, together. */
  offer: string | null;
  other: string | null;
  source: string | null;
  as_of: string | null;
  kept: string | null;
  was: string;
  cost: string;
  node_hours: number;
  other_node_hours: number;
}

export interface PastPolicy {
  policy: string;
  name: string;
  cost: string;
  saving: string;
  at_least: boolean;
  unknown: string;
  node_hours: number;
  other_node_hours: number;
  waits: number;
  waiting: { workload: string; node: string; at: string }[];
  deadlines_kept: string[];
  deadlines_missed: string[];
  deadlines_unknown: string[];
  stopped: string[];
  interruptions: number | null;
  breaks: string[];
  rows: PastRow[];
  rows_of: number;
}

export interface Past {
  window: { from: string; to: string };
  hours: number;
  currency: string;
  paid: string;
  unpriced: number;
  boot_s: number;
  left_out: string | null;
  policies: PastPolicy[];
}

export interface PricePoint {
  window: { from: string; to: string };
  price: string;
  kind: string;
  source: string;
  as_of: string;
}

export interface PriceSeries {
  offer: string;
  provider: string;
  region: string;
  zone: string | null;
  instance_type: string;
  accelerator: string | null;
  accelerator_count: number | null;
  purchase: string;
  currency: string;
  now: string | null;
  lowest: string;
  highest: string;
  points: PricePoint[];
  points_of: number;
}
