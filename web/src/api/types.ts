/**
 * The shapes on the wire (see the OpenAPI document of the server). Money is a decimal string, times
 * RFC 3339 in UTC, durations `_s`, ratios 0 to 1; `null` is unknown.
 */

export interface WindowJson {
  from: string;
  to: string;
}

export interface Health {
  status: "ok" | "starting" | "stuck";
  /** Why it is not `ok`, or why there are no more ticks. */
  why: string | null;
  version: string;
  cluster: string;
  world: string;
  mode: string;
  currency: string;
  started: string;
  at: string | null;
  age_s: number | null;
  every_s: number;
  ticks: number;
  failures: number;
  last_error: string | null;
}

export interface Session {
  user: { name: string; role: "viewer" | "team" | "operator" | "admin"; teams: string[] | null };
  login: "none" | "token" | "oidc";
  csrf: string | null;
  /** Where the browser can go after it logged out here, to log out of its provider, too. */
  leave?: string | null;
}

/** The places that what is paid goes to. */
export interface Flow {
  paid: string;
  used: string;
  idle: string;
  unallocated: string;
  overhead: string;
}

export interface ResourceHours {
  resource: string;
  unit: string;
  utilisation: number | null;
  utilisation_of_allocated: number | null;
  used_hours: number;
  idle_hours: number;
  unallocated_hours: number;
  overhead_hours: number;
}

export interface Tick extends Flow {
  at: string;
  window: WindowJson | null;
  currency: string;
  difference: string;
  coverage: number | null;
  resources: ResourceHours[];
  world: {
    cluster: string;
    nodes: number;
    nodes_ready: number;
    workloads: { waiting: number; placed: number; suspended: number; finished: number };
    ages: { part: string; age_s: number }[];
  };
  plan: string | null;
  budgets: TickBudget[];
  receipts: { step: string; at: string; outcome: string; detail: string | null }[];
  held: { step: string; action: string; target: string; reason: string }[];
  unknown: string[];
  verified: Verified[];
  notes: string[];
}

export interface TickBudget {
  budget: string;
  period: WindowJson;
  limit: string | null;
  spent: string;
  committed: string;
}

export interface Verified {
  step: string;
  target: string;
  complete: boolean;
  reference: string;
  predicted: string;
  realised: string;
  posted: string;
  from: string;
  to: string;
}

export interface CostRow {
  used: string;
  idle: string;
  shared: string;
  unallocated: string;
  overhead: string;
  total: string;
  gpu_hours: number;
  core_hours: number;
  gib_hours: number;
  utilisation: number | null;
  id: string;
  [key: string]: string | number | null;
}

export interface CostSpan extends Flow {
  window: WindowJson;
  rows: CostRow[];
}

export interface Cost extends Flow {
  window: WindowJson;
  currency: string;
  shared: string;
  filtered: string;
  difference: string;
  coverage: number | null;
  hours: number;
  by: string[];
  unpriced: { node: string; offer: string; window: WindowJson; why: string }[];
  corrections?: { hour: WindowJson; at: string; why: string; before: string; after: string }[];
  rows: CostRow[];
}

export interface PlanStep {
  id: string;
  action: string;
  workload: string | null;
  node: string | null;
  offer: string | null;
  count: number | null;
  start: string | null;
  end: string | null;
  cost: string;
  saving: string;
  reasons: string[];
  expires: string;
}

export interface Waiting {
  workload: string;
  reason: string;
  kind: string;
  members: number;
  late: boolean;
}

export interface Cut {
  budget: string;
  workload: string;
  members: number;
  value: string;
  saved: string;
  retry: string | null;
}

export interface Placement {
  workload: string;
  offer: string | null;
  count: number;
  nodes_each: number;
  start: string;
  end: string;
  cost: string;
  reference: string | null;
  r: string | null;
  stays: boolean;
}

export interface Band {
  resource: string;
  now: number | null;
  threshold: number;
  max: number;
  state: "under" | "within" | "over" | null;
  after: number | null;
  proposal: string;
}

export interface Binding {
  constraint: "budget" | "capacity" | "deadline" | "residency";
  of: string;
  slack: string;
  cost_change: string;
  value_change: string;
  members_change: number;
  exact: boolean;
}

export interface PlanBudget {
  budget: string;
  limit: string | null;
  spent: string;
  committed: string;
  planned: string;
  forecast: string;
  rung: string | null;
}

export interface Plan {
  policy: string;
  plan: string;
  parent: string | null;
  at: string;
  horizon: WindowJson;
  cost: string;
  lower_bound: string | null;
  certified_bound: string | null;
  gap: number | null;
  status: "optimal" | "feasible" | "infeasible";
  solve_ms: number | null;
  currency: string;
  /** Unknown to a team, as it is of the whole. */
  value: string | null;
  value_bound: string | null;
  steps: PlanStep[];
  waiting: Waiting[];
  cuts: Cut[];
  offers_used: Record<string, number>;
  prices: { oldest: string; newest: string; age_days: number; sources: string[] } | null;
  budgets: PlanBudget[];
  unknown: string[];
  utilisation: Band[];
  placements: Placement[];
  excluded: Record<string, number>;
  solver: {
    columns: number;
    rows: number;
    nodes: number;
    iterations: number;
    limit: string | null;
  };
  /** Constraints that bind, and what slack would be worth. */
  binding?: Binding[];
  baselines: Record<string, Plan>;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export type Act = "approve" | "reject" | "undo";

export interface Step extends PlanStep {
  currency: string;
  proposed: string;
  stage: "proposed" | "begun" | "in-force";
  approved: boolean | null;
  in_force_since: string | null;
  reserved: string | null;
  budgets: string[];
  can: Act[];
}

export interface Amounts {
  gpu: number | null;
  cpu: number | null;
  memory_gib: number | null;
  storage_gib: number | null;
}

export interface NodeJson {
  id: string;
  offer: string;
  state: string;
  provider: string | null;
  region: string | null;
  zone: string | null;
  instance_type: string | null;
  accelerator: string | null;
  accelerator_count: number | null;
  purchase: string | null;
  price: string | null;
  currency: string | null;
  price_unknown: string | null;
  since: string | null;
  until: string | null;
  capacity: Amounts;
}

export interface WorkloadJson {
  id: string;
  team: string | null;
  type: "job" | "service";
  state: string;
  members: number;
  offers: string[];
  since: string | null;
  deadline: string | null;
  ends: string | null;
  labels: Record<string, string>;
}

export interface Snapshot {
  at: string;
  nodes: NodeJson[];
  workloads: WorkloadJson[];
  ages: { part: string; age_s: number }[];
}

export interface Verdict {
  workload: string;
  state: string;
  idle: boolean;
  vetoes: string[];
  coverage: number;
  spent: string;
  per_day: string;
  currency: string;
  devices: {
    pod: string | null;
    node: string;
    device: string;
    instance: number | null;
    state: string;
    why: string;
    records: number;
    records_expected: number;
    coverage: number;
    active_most: number | null;
    memory_held: boolean | null;
    power_most_w: number | null;
  }[];
}

export interface Rung {
  value: number | null;
  read: number;
  missing: string | null;
  export: string | null;
}

export interface Verdicts {
  window: WindowJson;
  verdicts: Verdict[];
  unallocated: { node: string; device: string }[];
  ladders: {
    node: string;
    device: string;
    workload: string | null;
    allocated: number;
    rungs: Record<string, Rung>;
  }[];
}

/** In hours of its unit. */
export interface Use {
  used: number;
  allocated: number;
  paid: number;
}

export interface UtilisationSpan {
  window: WindowJson;
  gpu?: Use | null;
  cpu?: Use | null;
  memory?: Use | null;
}

export interface Utilisation {
  resources: string[];
  series: UtilisationSpan[];
  nodes: NodeUse[];
  /** Nodes that have the name asked for, and all. */
  matched: number;
  of: number;
}

export interface NodeUse {
  node: string;
  resource: string;
  /** Used / paid where that is known; `null` where it never is. */
  mean: number | null;
  /** The same of each step; `null` where it was not paid, or too little of it was measured. */
  values: (number | null)[];
  /** The part of each step that was measured; `null` where it was not paid. */
  measured: (number | null)[];
}

export interface Savings extends Page<JournalRecord> {
  totals: {
    steps: number;
    sums: { currency: string; predicted: string; realised: string | null }[];
  };
}

export interface JournalRecord {
  seq: number;
  at: string;
  kind: string;
  hash: string | null;
  body: unknown;
}

export interface ExplainedLine {
  node: string;
  offer: string;
  resource: string;
  destination: string;
  node_rate: string;
  price_kind: string;
  price_source: string;
  price_as_of: string;
  node_hours: string;
  node_cost: string;
  resource_cost: string;
  quantity_nano: string;
  resource_quantity_nano: string;
  cost: string;
}

export interface Explanation {
  id: string;
  keys: [string, string][];
  window: WindowJson;
  total: string;
  currency: string;
  lines: ExplainedLine[];
  workloads: [string, string][];
  samples: {
    source: string;
    node: string;
    resource: string;
    count: number;
    first: string;
    last: string;
  }[];
  hours_without_telemetry: number;
}

/** A step or a plan, and what came of it. */
export interface Story {
  plan: unknown;
  policy?: string;
  step?: unknown;
  then?: unknown[];
}

export interface ProblemJson {
  type?: string;
  title: string;
  status: number;
  detail?: string;
  parameter?: string;
  allowed?: string[];
  request_id?: string;
  login?: string[];
}
