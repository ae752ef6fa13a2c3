/** Plans, steps, savings and the journal of a made-up world. */
import type * as wire from "../src/api/types.ts";
import { verifiedOf } from "../src/api/records.ts";
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
    binding: empty
      ? []
      : [
          {
            constraint: "budget",
            of: world.name("vision"),
            slack: "+120 USD",
            cost_change: "120.00",
            value_change: "40",
            members_change: 4,
            exact: true,
          },
        ],
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

type Draft = Omit<wire.JournalRecord, "seq" | "hash">;

/** The journal of the made-up world, newest first. */
export function journal(world: World): wire.JournalRecord[] {
  if (world.options.empty) return [];
  const drafts = Array.from({ length: 40 }, (_, index) => drafted(world, index)).flat();
  const hash = (seq: number) => (0xabcdef12345 * (seq + 3)).toString(16).padStart(64, "0");
  return drafts.map((draft, index) => ({ ...draft, seq: index + 1, hash: hash(index) })).reverse();
}

function drafted(world: World, index: number): Draft[] {
  const then = at((index - 40) / 12);
  const record = (kind: string, body: object): Draft => {
    return { at: then, kind, body: { record: kind, ...body } };
  };
  const step = planStep(world, index % 9);
  const id = `p${index + 1}/1`;
  const saved = index % 2 === 0 ? [record("verified", verified(world, index, id))] : [];
  return [
    record("planned", planned(index, step)),
    record("reserved", {
      step: id,
      workload: step.workload,
      amount: `${step.cost} USD`,
      budgets: [world.name("language")],
    }),
    record("intended", { step: id }),
    record("receipted", { step: id, at: then, outcome: "done" }),
    ...saved,
    ...(index === 14 ? [record("undone", { step: id, outcome: "done" })] : []),
  ];
}

function planned(index: number, step: wire.PlanStep): object {
  const { action, workload, node, offer, cost, saving, reasons, expires } = step;
  const acted = node === null ? { do: action, workload, offer } : { do: action, node };
  const one = {
    step: `p${index + 1}/1`,
    action: acted,
    cost: `${cost} USD`,
    saving: `${saving} USD`,
    reasons,
    expires,
  };
  return {
    plan: `p${index + 1}`,
    policy: "farthing",
    cost: `${900 + index}.00 USD`,
    lower_bound: `${898 + index}.00 USD`,
    status: "feasible",
    steps: [one],
    waiting: [],
  };
}

function verified(world: World, index: number, step: string): object {
  const chance = new Chance(world.options.seed * 31 + index);
  const predicted = chance.between(0.5, 20);
  const loss = index === 6 ? 25 : 0;
  return {
    step,
    target: world.name(`search-${String(index).padStart(4, "0")}`),
    complete: index % 4 !== 0,
    reference: `${money(predicted * 3)} USD`,
    predicted: `${money(predicted)} USD`,
    realised: `${money(predicted * chance.between(0.7, 1.1) - loss)} USD`,
    posted: `${money(predicted * 2)} USD`,
    from: at((index - 80) / 12),
    to: at((index - 40) / 12),
  };
}

export function savings(world: World, all: wire.JournalRecord[]): wire.Savings["totals"] {
  const items = verifiedOf(all).filter((item) => !item.undone);
  const predicted = total(items.map((item) => item.predicted));
  const realised = total(items.map((item) => item.realised));
  const sums = world.options.empty ? [] : [{ currency: "USD", predicted, realised }];
  return { steps: items.length, sums };
}

export function story(world: World, id: string): wire.Story | null {
  const all = journal(world);
  const plan = all.find((record) => {
    const body = record.body as { steps?: { step: string }[] };
    return body.steps?.some((step) => step.step === id);
  });
  if (!plan) return null;
  const then = all.filter((record) => (record.body as { step?: string }).step === id).reverse();
  const body = plan.body as { plan: string; steps: { step: string }[] };
  return {
    plan: body.plan,
    policy: "farthing",
    step: body.steps.find((step) => step.step === id),
    then: then.map((record) => ({ ...(record.body as object), at: record.at })),
  };
}
