/** Plans, steps, savings and the journal of a made-up world. */
import type * as wire from "../src/api/types.ts";
import { Chance } from "./random.ts";
import { at, money, total, type World } from "./world.ts";

export function plan(world: World, cheaper = 0, policy = "farthing"): wire.Plan {
  const { empty } = world.options;
  const placements = empty ? [] : placementsOf(world);
  const cost = money(empty ? 0 : 900 - cheaper);
  return {
    policy,
    plan: "p7",
    parent: "p6",
    at: at(0),
    horizon: { from: at(0), to: at(24) },
    cost,
    lower_bound: policy === "farthing" ? money(empty ? 0 : 898 - cheaper) : null,
    certified_bound: money(empty ? 0 : 898 - cheaper),
    gap: policy === "farthing" ? 0.0022 : null,
    status: "feasible",
    solve_ms: 12,
    currency: "USD",
    value: "1200",
    value_bound: "1200",
    steps: empty ? [] : Array.from({ length: 9 }, (_, index) => planStep(world, index)),
    waiting: empty
      ? []
      : [
          {
            workload: world.name("vision-0009"),
            reason: "over budget vision: 120.00 USD more than is left",
            kind: "over-budget",
            members: 4,
            late: false,
          },
          {
            workload: world.name("speech-0010"),
            reason: "no capacity of H100-80GB before 18:00",
            kind: "capacity",
            members: 1,
            late: true,
          },
        ],
    cuts: empty
      ? []
      : [
          {
            budget: world.name("vision"),
            workload: world.name("vision-0009"),
            members: 4,
            value: "40",
            saved: "120.00",
            retry: at(20),
          },
        ],
    offers_used: empty ? {} : { "H100-80GB-SXM": 4, "L4-24GB": 11 },
    prices: { oldest: "2026-05-20", newest: "2026-05-20", age_days: 166, sources: ["made-up"] },
    budgets: [],
    unknown: empty ? [] : ["utilisation is not measured for storage"],
    utilisation: bands(),
    placements,
    excluded: { "another accelerator": 12 },
    solver: { columns: 120, rows: 80, nodes: 1, iterations: 300, limit: null },
    baselines: {},
  };
}

function bands(): wire.Band[] {
  const proposal = "under 80.0 %: nothing idle can be given back";
  return [
    {
      resource: "gpu",
      now: 0.61,
      threshold: 0.8,
      max: 0.95,
      state: "under",
      after: 0.83,
      proposal,
    },
    {
      resource: "storage",
      now: null,
      threshold: 0.7,
      max: 0.9,
      state: null,
      after: null,
      proposal: "not measured",
    },
  ];
}

function placementsOf(world: World): wire.Placement[] {
  const chance = new Chance(world.options.seed + 3);
  return Array.from({ length: Math.min(60, world.options.nodes) }, (_, index) => {
    const start = index % 3 === 0 ? chance.between(0, 6) : 0;
    const [offer] = world.offer(index);
    const hours = chance.between(1, 14);
    return {
      workload: world.name(
        `${index % 2 ? "search" : "language"}-${String(index).padStart(4, "0")}`,
      ),
      offer,
      count: 1 + (index % 3),
      nodes_each: 1,
      start: at(start),
      end: at(start + hours),
      cost: money(hours * 4),
      reference: money(hours * 6),
      r: "3.1",
      stays: index % 3 !== 0,
    };
  });
}

export function planStep(world: World, index: number): wire.PlanStep {
  const release = index === 4;
  const [offer] = world.offer(index);
  return {
    id: `p7/${index + 1}`,
    action: release ? "release" : index % 4 === 3 ? "suspend" : "start",
    workload: release ? null : world.name(`language-${String(index).padStart(4, "0")}`),
    node: release ? world.name("node-0012") : null,
    offer: release ? null : offer,
    count: release ? null : 1 + (index % 2),
    start: at(0),
    end: at(3 + index),
    cost: money(12.5 + index),
    saving: money(9 - index * 0.7),
    reasons: [
      "cheapest of 37 in time; next gcp/us-east4/g2-standard-4/on-demand at 14.10",
      world.name("on another machine 16.90 with aws/us-east-1/p4de.24xlarge/spot"),
    ],
    expires: at(0.05),
  };
}

export function steps(world: World): wire.Step[] {
  if (world.options.empty) return [];
  return Array.from({ length: 9 }, (_, index) => step(world, index));
}

function step(world: World, index: number): wire.Step {
  const plain = planStep(world, index);
  const decided = world.decided.get(plain.id);
  const acts = index > 5 || decided === "approve";
  const can: wire.Act[] = acts ? ["undo"] : decided === "reject" ? [] : ["approve", "reject"];
  return {
    ...plain,
    currency: "USD",
    proposed: at(0),
    stage: acts ? "in-force" : "proposed",
    approved: acts ? true : decided === "reject" ? false : null,
    in_force_since: acts ? at(-1) : null,
    reserved: acts ? plain.cost : null,
    budgets: [world.name("language")],
    can,
  };
}

export function pastPlans(world: World): wire.PastPlan[] {
  if (world.options.empty) return [];
  return Array.from({ length: 6 }, (_, index) => ({
    plan: `p${7 - index}`,
    at: at(-index / 12),
    cost: money(900 + index * 3),
    lower_bound: money(898 + index * 3),
    status: "feasible",
    currency: "USD",
    steps: Array.from({ length: 3 }, (_, step) => planStep(world, step)),
    waiting: [],
  }));
}

export function savings(world: World): wire.Savings {
  const items = world.options.empty ? [] : Array.from({ length: 30 }, (_, i) => saved(world, i));
  const counted = items.filter((item) => !item.undone);
  return {
    items,
    next: null,
    totals: {
      steps: counted.length,
      predicted: total(counted.map((item) => item.predicted)),
      realised: total(counted.map((item) => item.realised)),
      currency: "USD",
    },
  };
}

function saved(world: World, index: number): wire.Verified {
  const chance = new Chance(world.options.seed * 31 + index);
  const predicted = chance.between(0.5, 20);
  return {
    step: `p${2 + Math.floor(index / 5)}/${(index % 5) + 1}`,
    target: world.name(`search-${String(index).padStart(4, "0")}`),
    complete: index % 4 !== 0,
    reference: money(predicted * 3),
    predicted: money(predicted),
    realised: money(predicted * chance.between(0.7, 1.1) - (index === 3 ? 25 : 0)),
    posted: money(predicted * 2),
    from: at(-40 + index),
    to: at(-38 + index),
    undone: index === 7,
  };
}

const KINDS = ["tick", "plan", "step-proposed", "step-approved", "receipt", "reserve", "settle"];

export function journal(world: World, kind: string | null): wire.JournalRecord[] {
  if (world.options.empty) return [];
  const all = Array.from({ length: 140 }, (_, index) => ({
    seq: 140 - index,
    at: at(-index / 12),
    kind: KINDS[index % KINDS.length] as string,
    hash: (0xabcdef12345 * (index + 3)).toString(16).padStart(64, "0"),
    body: { plan: "p7", workload: world.name("language-0001"), cost: "12.50 USD", members: 2 },
  }));
  return kind ? all.filter((record) => record.kind === kind) : all;
}
