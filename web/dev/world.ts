/**
 * A made-up world in the shapes of the API, from a seed: for work on pages without a program, and
 * for tests of what a demo does not have (10,000 nodes, hostile names, an empty state).
 * Amounts are consistent where pages compare them: parts sum to what is paid.
 */
import type * as wire from "../src/api/types.ts";
import { parse, plain } from "../src/money/decimal.ts";
import { Chance } from "./random.ts";

export interface WorldOptions {
  seed: number;
  nodes: number;
  /** Put before every name: markup, say, which must be shown as text. */
  prefix?: string;
  /** Nothing was seen, planned or paid. */
  empty?: boolean;
}

const HOUR_MS = 3_600_000;
const NOW = Date.parse("2026-11-02T12:00:00Z");
const TEAMS = ["language", "search", "vision", "speech", "ranking", "health", "ads", "safety"];
const OFFERS = [
  ["lambda/us-east-1/gpu_8x_h100_sxm5/on-demand", "H100-80GB-SXM", 8, "34.32"],
  ["aws/us-east-1/p4de.24xlarge/spot", "A100-80GB-SXM", 8, "19.41"],
  ["gcp/us-east4/g2-standard-4/spot", "L4-24GB", 1, "0.283"],
  ["azure/eastus/Standard_NC24ads_A100_v4/on-demand", "A100-80GB-PCIe", 1, "3.673"],
] as const;

export const at = (hours: number): string => new Date(NOW + hours * HOUR_MS).toISOString();
export const money = (value: number): string => plain(BigInt(Math.round(value * 1e6)) * 1_000_000n);

export class World {
  readonly options: WorldOptions;
  /** What was decided about steps. */
  readonly decided = new Map<string, wire.Act>();
  ticks = 0;

  constructor(options: WorldOptions) {
    this.options = options;
  }

  name(text: string): string {
    return `${this.options.prefix ?? ""}${text}`;
  }

  health(): wire.Health {
    const { empty } = this.options;
    return {
      status: empty ? "starting" : "ok",
      why: empty ? "the first tick is not finished" : null,
      version: "0.0.0",
      cluster: this.name("made-up"),
      world: "simulated",
      mode: "approve",
      currency: "USD",
      started: at(-48),
      at: at(0),
      every_s: 10,
      ticks: this.ticks,
      failures: 0,
      last_error: null,
      age_s: 2,
    };
  }

  flow(scale: number, salt: number): wire.Flow {
    const chance = new Chance(this.options.seed * 7919 + salt);
    const parts = {
      used: money(scale * chance.between(0.5, 0.62)),
      idle: money(scale * chance.between(0.18, 0.28)),
      unallocated: money(scale * chance.between(0.02, 0.12)),
      overhead: money(scale * chance.between(0.02, 0.06)),
    };
    return { ...parts, paid: total(Object.values(parts)) };
  }

  tick(): wire.Tick {
    const { empty, nodes } = this.options;
    const flow = empty ? this.flow(0, 1) : this.flow(nodes * 0.9, this.ticks);
    const resource = (name: string, unit: string, use: number | null): wire.ResourceHours => ({
      resource: name,
      unit,
      utilisation: use,
      utilisation_of_allocated: use,
      used_hours: use ?? 0,
      idle_hours: 1 - (use ?? 0),
      unallocated_hours: 0,
      overhead_hours: 0,
    });
    return {
      at: at(this.ticks / 12),
      window: empty ? null : { from: at(this.ticks / 12 - 1 / 12), to: at(this.ticks / 12) },
      currency: "USD",
      ...flow,
      difference: "0.00",
      coverage: empty ? null : 0.97,
      resources: [resource("gpu", "gpu", 0.61), resource("storage", "gib", null)],
      world: {
        cluster: this.name("made-up"),
        nodes: empty ? 0 : nodes,
        nodes_ready: empty ? 0 : nodes - 1,
        workloads: empty
          ? { waiting: 0, placed: 0, suspended: 0, finished: 0 }
          : { waiting: 3, placed: nodes, suspended: 1, finished: 120 },
        ages: [
          { part: "nodes", age_s: 2 },
          { part: "prices", age_s: 400_000 },
        ],
      },
      plan: empty ? null : "p7",
      budgets: [],
      receipts: [],
      held: [],
      unknown: [],
      verified: [],
      notes: empty ? [] : [`no telemetry of ${this.name("node-0003")}`],
    };
  }

  cost(query: URLSearchParams): wire.Cost {
    const { empty } = this.options;
    const keys = (query.get("by") ?? "team").split(",");
    const hours = hoursOf(query.get("window") ?? "24h");
    const step = query.get("step");
    const rows = empty ? [] : step ? this.cut(keys, hours, step) : this.rows(keys, hours, 0);
    return {
      window: { from: at(-hours), to: at(0) },
      currency: "USD",
      ...flowOf(rows),
      shared: "0.00",
      filtered: "0.00",
      difference: "0.00",
      coverage: empty ? null : 0.97,
      hours: empty ? 0 : hours,
      by: step ? [step === "1h" ? "hour" : "day", ...keys] : keys,
      unpriced: empty
        ? []
        : [
            {
              node: this.name("node-0003"),
              offer: "on-prem/dc1/unknown/owned",
              window: { from: at(-5), to: at(0) },
              why: this.name("its hardware is in no price book"),
            },
          ],
      rows,
    };
  }

  /** Rows by the hour or day. */
  cut(keys: string[], hours: number, step: string): wire.CostRow[] {
    const [name, length] = step === "1h" ? ["hour", 1] : ["day", 24];
    const midnight = name === "day" ? -12 : 0;
    return Array.from({ length: Math.max(1, hours / length) }, (_, index) => {
      const from = at(midnight - hours + index * length);
      const key = name === "day" ? from.slice(0, 10) : from;
      return this.rows(keys, length, index + 1).map((row) => ({ [name]: key, ...row }));
    }).flat();
  }

  rows(by: string[], hours: number, salt: number): wire.CostRow[] {
    return Array.from({ length: by.length > 1 ? 24 : 8 }, (_, index) => {
      const flow = this.flow((hours * this.options.nodes * 0.9) / (index + 2), salt * 100 + index);
      const keys = by.map((key, level) => [
        key,
        this.name(level === 0 ? (TEAMS[index % 8] ?? "") : `${key}-${index}`),
      ]);
      return {
        ...Object.fromEntries(keys),
        used: flow.used,
        idle: flow.idle,
        unallocated: flow.unallocated,
        overhead: flow.overhead,
        shared: "0.00",
        total: flow.paid,
        gpu_hours: hours * 3,
        core_hours: hours * 90,
        gib_hours: hours * 900,
        storage_gib_hours: 0,
        utilisation: index === 5 ? null : 0.6,
        id: `row-${index.toString(16).padStart(12, "0")}`,
      };
    });
  }

  explain(id: string): wire.Explanation {
    const lines = ["used", "idle"].map((destination, index) => ({
      node: this.name("node-0001"),
      offer: OFFERS[0][0],
      resource: "gpu",
      destination,
      node_rate: "34.32",
      price_kind: "list",
      price_source: "a made-up catalogue 2026-05-20",
      price_as_of: "2026-05-20",
      node_hours: "2.0",
      node_cost: "68.64",
      resource_cost: "60.00",
      resource_quantity_nano: "1000",
      quantity_nano: "500",
      cost: money(20 + index * 10),
    }));
    return {
      id,
      keys: [["team", this.name("language")]],
      window: { from: at(-24), to: at(0) },
      total: total(lines.map((line) => line.cost)),
      currency: "USD",
      lines,
      workloads: [
        [this.name("language-0001"), "30.00"],
        [this.name("language-0002"), "20.00"],
      ],
      samples: [
        {
          source: "dcgm",
          node: this.name("node-0001"),
          resource: "gpu",
          count: 2880,
          first: at(-24),
          last: at(0),
        },
      ],
      hours_without_telemetry: 0,
    };
  }

  offer(index: number): (typeof OFFERS)[number] {
    return OFFERS[index % OFFERS.length] as (typeof OFFERS)[number];
  }

  team(index: number): string {
    return this.name(TEAMS[index % TEAMS.length] as string);
  }
}

export function total(amounts: readonly string[]): string {
  return plain(amounts.reduce((sum, one) => sum + parse(one), 0n));
}

function flowOf(rows: wire.CostRow[]): wire.Flow {
  const sum = (name: keyof wire.Flow) =>
    total(rows.map((row) => (name === "paid" ? row.total : row[name])));
  return {
    paid: sum("paid"),
    used: sum("used"),
    idle: sum("idle"),
    unallocated: sum("unallocated"),
    overhead: sum("overhead"),
  };
}

function hoursOf(text: string): number {
  const found = /^(\d+)([hd])$/.exec(text);
  return found ? Number(found[1]) * (found[2] === "d" ? 24 : 1) : 24;
}
