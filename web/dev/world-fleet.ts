/** Nodes, their use, verdicts, budgets and offers of a made-up world. */
import type { Offers } from "../src/api/offer-types.ts";
import type { Anomaly, Budget } from "../src/api/budget-types.ts";
import type * as wire from "../src/api/types.ts";
import { Chance } from "./random.ts";
import { at, money, type World } from "./world.ts";

export function snapshot(world: World): wire.Snapshot {
  const count = world.options.empty ? 0 : world.options.nodes;
  const nodes = Array.from({ length: count }, (_, index) => node(world, index));
  return {
    at: at(0),
    nodes,
    workloads: Array.from({ length: Math.min(count, 200) }, (_, index) => ({
      id: `${world.team(index)}-${index}`,
      team: world.team(index),
      type: index % 9 === 0 ? "service" : "job",
      state: "running",
      members: 1,
      offers: [world.offer(index)[0]],
      since: at(-index),
      deadline: index % 2 ? at(12) : null,
      ends: null,
      labels: {},
    })),
    ages: [{ part: "nodes", age_s: 2 }],
  };
}

function node(world: World, index: number): wire.NodeJson {
  const [offer, accelerator, accelerator_count, price] = world.offer(index);
  const [provider = "", region = ""] = offer.split("/");
  return {
    id: world.name(`node-${String(index).padStart(5, "0")}`),
    offer,
    state: index % 29 === 28 ? "booting" : "ready",
    provider,
    region,
    zone: null,
    instance_type: offer.split("/")[2] ?? "",
    accelerator,
    accelerator_count,
    purchase: offer.split("/").at(-1) ?? "",
    price: index % 23 === 5 ? null : price,
    currency: index % 23 === 5 ? null : "USD",
    price_unknown: index % 23 === 5 ? world.name("its region is in no book") : null,
    until: null,
    since: at(-(index % 70)),
    capacity: { gpu: accelerator_count, cpu: 96, memory_gib: 1024, storage_gib: 2048 },
  };
}

const SPANS: Record<string, [count: number, hours: number]> = {
  "1h": [1, 1],
  "6h": [6, 1],
  "24h": [24, 1],
  "7d": [7, 24],
  "30d": [30, 24],
};

export function utilisation(world: World, query: URLSearchParams): wire.Utilisation {
  const { empty, nodes, seed } = world.options;
  const [spans, hours] = SPANS[query.get("window") ?? "24h"] ?? [24, 1];
  const count = empty ? 0 : spans;
  const chance = new Chance(seed + 99);
  const use = (scale: number) => ({ used: 0.55 * scale, allocated: 0.8 * scale, paid: scale });
  const series = Array.from({ length: count }, (_, index) => ({
    window: { from: at((index - count) * hours), to: at((index + 1 - count) * hours) },
    gpu: use(nodes * hours * chance.between(0.8, 1)),
    cpu: use(nodes * hours * 10),
    memory: null,
  }));
  const part = query.get("node")?.toLowerCase() ?? "";
  const all = Array.from({ length: empty ? 0 : nodes }, (_, index) => {
    const level = chance.next();
    const values = Array.from({ length: count }, (_, span) => {
      const value = Math.min(1, Math.max(0, level + chance.between(-0.2, 0.2)));
      return index % 17 === 3 && span > 4 ? null : value;
    });
    const node = world.name(`node-${String(index).padStart(5, "0")}`);
    // Of some nothing is measured at all, of some the first hours.
    const dark = (span: number) => index % 11 === 6 || (index % 13 === 4 && span < 3);
    const measured = values.map((value, span) => (value === null ? null : dark(span) ? 0 : 1));
    const known = values.map((value, span) => (dark(span) ? null : value));
    const mean = known.some((value) => value !== null) ? level : null;
    return { node, resource: "gpu", mean, values: known, measured };
  }).filter((row) => row.node.toLowerCase().includes(part));
  return {
    resources: ["gpu", "cpu", "memory"],
    series,
    nodes: all,
    matched: all.length,
    of: nodes,
  };
}

const STATES = [
  "BUSY",
  "EMPTY_IDLE",
  "LOADED_IDLE",
  "UNKNOWN",
  "STALLED",
  "PROBE_ONLY",
  "STARTING",
];

export function verdicts(world: World): wire.Verdicts {
  const window = { from: at(-24), to: at(0) };
  if (world.options.empty) return { window, verdicts: [], unallocated: [], ladders: [] };
  const rung = (value: number | null) => ({
    value,
    read: value === null ? 0 : 0.98,
    missing: value === null ? "not-exported" : null,
    export: value === null ? "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE, gauge" : null,
  });
  return {
    window,
    verdicts: STATES.map((state, index) => ({
      workload: world.name(`vision-${index}`),
      state,
      idle: state.endsWith("IDLE"),
      vetoes: state === "STALLED" ? ["one of its 4 devices works"] : [],
      coverage: state === "UNKNOWN" ? 0.3 : 0.99,
      spent: money(80 - index * 9),
      per_day: money(80 - index * 9),
      currency: "USD",
      devices: [
        {
          pod: world.name(`vision-${index}-pod`),
          node: world.name("node-00001"),
          device: `GPU-${index}`,
          instance: null,
          state,
          why: world.name("no work in 24 h, memory is held"),
          records: 1400,
          records_expected: 1440,
          coverage: 0.97,
          active_most: state === "UNKNOWN" ? null : 0.02,
          memory_held: true,
          power_most_w: 71,
        },
      ],
    })),
    unallocated: [{ node: world.name("node-00002"), device: "GPU-9" }],
    ladders: STATES.slice(0, 5).map((_, index) => ({
      node: world.name("node-00001"),
      device: `GPU-${index}`,
      workload: world.name(`vision-${index}`),
      allocated: 1,
      rungs: {
        allocated: rung(1),
        context: rung(0.9),
        engine: rung(0.6 - index * 0.1),
        sm: rung(0.4 - index * 0.07),
        tensor: rung(index % 2 ? null : 0.2),
        mfu: rung(null),
      },
    })),
  };
}

export function budgets(world: World): Budget[] {
  if (world.options.empty) return [];
  return Array.from({ length: 5 }, (_, index) => budget(world, index));
}

function budget(world: World, index: number): Budget {
  const limit = 2_000 * (index + 1);
  const over = index === 1;
  const hours = index === 4;
  const spent = limit * (over ? 0.93 : 0.2 + index * 0.1);
  const [committed, reserved] = [limit * 0.08, limit * 0.02];
  const exposure = spent + committed + reserved;
  const p50 = over ? limit * 1.06 : spent * 1.5;
  const days = 12;
  return {
    budget: world.name(`${["language", "search", "vision", "speech", "ranking"][index]}-monthly`),
    scope: index === 2 ? `team=${world.team(1)}, label:project=x` : `team=${world.team(index)}`,
    parent: index === 2 ? world.name("search-monthly") : null,
    base: hours ? "4000" : money(over ? limit * 0.9 : limit),
    carried: index === 0 ? money(120) : null,
    allowed: over ? { until: at(30), why: world.name("a deadline"), by: world.name("ada") } : null,
    limit: hours ? null : money(limit),
    gpu_hours_limit: hours ? 4_000 : null,
    gpu_hours: hours ? 2_400 : 900,
    gpu_hours_committed: 0,
    gpu_hours_reserved: 0,
    gpu_hours_left: hours ? 1_600 : null,
    period: { name: "month", from: at(-days * 24), to: at(18 * 24) },
    hard: index % 2 === 0,
    currency: "USD",
    spent: money(spent),
    committed: money(committed),
    reserved: money(reserved),
    exposure: money(exposure),
    left: hours ? null : money(limit - exposure),
    gone: hours ? 0.6 : exposure / limit,
    forecast:
      index === 3
        ? null
        : { p10: money(p50 * 0.9), p50: money(p50), p90: money(p50 * 1.15), tried: 6, held: 5 },
    rung: over ? "hold" : null,
    rung_mode: over ? "enforce" : null,
    runs_out: over ? at(13 * 24).slice(0, 10) : null,
    cuts: over
      ? [
          {
            budget: world.name("search-monthly"),
            workload: world.name("search-0003"),
            members: 2,
            value: "12",
            saved: "150.00",
            retry: at(40),
          },
        ]
      : [],
    relief: over ? relief(world) : null,
    drivers: over
      ? [
          { what: world.name("search-0001"), amount: money(210), undo: "undo p7/2" },
          { what: world.name("a CI job"), amount: money(40), undo: "settle c7" },
        ]
      : [],
    escalate: [
      { at: 0.8, do: "notify", mode: "enforce" },
      { at: 1, do: "hold", mode: "enforce" },
      { at: 1.1, do: "suspend", mode: "approve" },
    ],
    burn: Array.from({ length: days }, (_, day) => ({
      at: at((day + 1 - days) * 24),
      spent: money((spent * (day + 1 + Math.sin(day * 2) * 0.3)) / days),
    })),
  };
}

function relief(world: World): Budget["relief"] {
  return {
    need: money(180),
    enough: true,
    proven: true,
    cuts: [
      {
        workload: world.name("search-0001"),
        do: "scale",
        offer: "aws/us-east-1/g6.xlarge/on-demand",
        replicas_from: 6,
        replicas_to: 4,
        carried: 0.87,
        frees: money(210),
        frees_gpu_hours: null,
        loses: money(4.5),
        loses_value: "3",
        step: "p7/2",
      },
    ],
  };
}

/** With a limit that is tried, where the address asks for one. */
export function simulated(world: World, limits: Record<string, string>): Budget[] {
  return budgets(world).map((budget) => {
    const limit = Number.parseFloat(limits[budget.budget] ?? "");
    if (Number.isNaN(limit)) return budget;
    const gone = Number(budget.exposure) / limit;
    const left = money(limit - Number(budget.exposure));
    const rung = gone >= 1.1 ? "suspend" : gone >= 1 ? "hold" : gone >= 0.8 ? "notify" : null;
    return { ...budget, limit: money(limit), left, gone, rung, relief: relief(world) };
  });
}

export function anomalies(world: World): Anomaly[] {
  if (world.options.empty) return [];
  const odd = { hour: at(-1), spent: "41.5", usual: "18.2", bound: "29.9", currency: "USD" };
  return [
    { of: "team", name: world.name("search"), ...odd },
    { of: "workload", name: world.name("search-0001"), ...odd },
  ];
}

export function offers(world: World, query: URLSearchParams): Offers {
  const accelerator = query.get("accelerator") ?? "H100-80GB";
  const purchase = query.get("purchase") ?? "on-demand";
  const list = Array.from({ length: world.options.empty ? 0 : 14 }, (_, index) => ({
    id: `p${index}/region-${index}/gpu_1x/${purchase}`,
    provider: ["lambda", "aws", "gcp", "azure"][index % 4] as string,
    region: `region-${index}`,
    zone: null,
    instance_type: world.name(`gpu_${index}x`),
    accelerator: `${accelerator}-SXM`,
    accelerator_count: 1,
    vcpus: "26",
    memory_gib: "200",
    arch: "x86_64",
    purchase: purchase === "any" ? (["on-demand", "spot"][index % 2] as string) : purchase,
    price: money(3.29 + index * 0.35),
    currency: "USD",
    price_kind: "list",
    source: "made-up 2026-05-20",
    as_of: "2026-05-20",
    nodes: 1,
    total: money(3.29 + index * 0.35),
    finish_cost: null,
    finish_s: null,
    warnings: index === 2 ? [world.name("capacity was refused in the last hour")] : [],
  }));
  return {
    offers: list,
    considered: 629,
    matched: list.length,
    excluded: { "another accelerator": 531, "another way to pay": 50 },
    query_ms: 0.2,
    compared: "price per hour",
    near: list[0] ? [{ reason: "too little memory", offer: list[0] }] : [],
    otherwise_paid: list.slice(0, 1),
    split: null,
    book: {
      offers: 629,
      oldest: "2026-05-20",
      newest: "2026-07-20",
      age_days: 129,
      from: "built-in",
    },
  };
}
