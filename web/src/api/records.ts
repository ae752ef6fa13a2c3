/** Records of the journal, read as what pages show. Money is `12.34 USD` there. */
import type { JournalRecord } from "./types.ts";

export interface Amount {
  number: string;
  currency: string;
}

export function amountOf(text: unknown): Amount | null {
  if (typeof text !== "string") return null;
  const [number, currency] = text.split(" ");
  return number && currency ? { number, currency } : null;
}

type Fields = Record<string, unknown>;

const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** A step as the journal has it. */
export interface StepRecord {
  id: string;
  action: string;
  target: string;
  offer: string | null;
  cost: Amount | null;
  saving: Amount | null;
  reasons: string[];
}

export interface PlanRecord {
  plan: string;
  at: string;
  policy: string;
  cost: Amount | null;
  lower_bound: Amount | null;
  status: string;
  steps: StepRecord[];
  waiting: { workload: string; reason: string }[];
}

export function stepOf(value: unknown): StepRecord {
  const fields = fieldsOf(value);
  const action = fieldsOf(fields["action"]);
  return {
    id: textOf(fields["step"]) ?? "",
    action: textOf(action["do"]) ?? "",
    target: textOf(action["workload"]) ?? textOf(action["node"]) ?? "",
    offer: textOf(action["offer"]),
    cost: amountOf(fields["cost"]),
    saving: amountOf(fields["saving"]),
    reasons: listOf(fields["reasons"]).map(String),
  };
}

export function planOf(record: JournalRecord): PlanRecord {
  const body = fieldsOf(record.body);
  return {
    plan: textOf(body["plan"]) ?? String(record.seq),
    at: record.at,
    policy: textOf(body["policy"]) ?? "",
    cost: amountOf(body["cost"]),
    lower_bound: amountOf(body["lower_bound"]),
    status: textOf(body["status"]) ?? "",
    steps: listOf(body["steps"]).map(stepOf),
    waiting: listOf(body["waiting"]).map((one) => {
      const fields = fieldsOf(one);
      const reason = textOf(fields["reason"]) ?? "";
      return { workload: textOf(fields["workload"]) ?? "", reason };
    }),
  };
}

/** A step that ended. */
export interface Verified {
  seq: number;
  step: string;
  target: string;
  complete: boolean;
  undone: boolean;
  reference: string;
  predicted: string;
  realised: string;
  posted: string;
  from: string;
  to: string;
}

/** Verified steps of a page of records; those that an `undone` record names do not count. */
export function verifiedOf(records: readonly JournalRecord[]): Verified[] {
  const undone = new Set(
    records
      .filter((record) => record.kind === "undone")
      .map((record) => textOf(fieldsOf(record.body)["step"])),
  );
  return records
    .filter((record) => record.kind === "verified")
    .map((record) => {
      const body = fieldsOf(record.body);
      const number = (name: string) => amountOf(body[name])?.number ?? "0";
      const step = textOf(body["step"]) ?? "";
      return {
        seq: record.seq,
        step,
        target: textOf(body["target"]) ?? "",
        complete: body["complete"] === true,
        undone: undone.has(step),
        reference: number("reference"),
        predicted: number("predicted"),
        realised: number("realised"),
        posted: number("posted"),
        from: textOf(body["from"]) ?? record.at,
        to: textOf(body["to"]) ?? record.at,
      };
    });
}

/** What happened to a step, in words: `reserved 12.50 USD in research`. */
export function happened(value: unknown): { at: string; text: string } {
  const fields = fieldsOf(value);
  const kind = textOf(fields["record"]) ?? "";
  const said = (name: string) => textOf(fields[name]) ?? "unknown";
  const text = (() => {
    switch (kind) {
      case "reserved":
        return `reserved ${said("amount")} in ${listOf(fields["budgets"]).join(", ")}`;
      case "intended":
        return "begun";
      case "receipted":
        return [said("outcome"), textOf(fields["detail"])].filter(Boolean).join(": ");
      case "settled":
        return `settled at ${said("posted")}`;
      case "verified":
        return `predicted saving ${said("predicted")}, realised ${said("realised")}`;
      case "undone":
        return `undone: ${said("outcome")}`;
      default:
        return [kind, textOf(fields["text"])].filter(Boolean).join(": ");
    }
  })();
  return { at: said("at"), text };
}

/** What a record says, on a line: `p1/2 settled: the ledger posted 3 USD for it`. */
export function inWords(body: unknown): string {
  const fields = fieldsOf(body);
  const said = (name: string) => textOf(fields[name]) ?? "unknown";
  const some = (name: string) => listOf(fields[name]);
  const many = (all: unknown[], one: string) =>
    `${all.length} ${one}${all.length === 1 ? "" : "s"}`;
  switch (fields["record"]) {
    case "started":
      return `the loop of ${said("cluster")} began: ${said("mode")}, version ${said("version")}`;
    case "reconfigured":
      return `told anew: ${said("mode")}, ${many(some("budgets"), "budget")}`;
    case "planned":
      return (
        `plan ${said("plan")}, ${said("status")}: ${many(some("steps"), "step")}, ` +
        `${some("waiting").length} waiting, cost ${said("cost")}`
      );
    case "approved":
      return `${said("by")} said ${fields["approved"] === true ? "yes" : "no"} to ${said("step")}`;
    case "reserved":
      return `${said("amount")} set aside for ${said("step")} on ${said("workload")}`;
    case "intended":
      return `${said("step")} is begun`;
    case "receipted":
      return [`${said("step")}: ${said("outcome")}`, textOf(fields["detail"])]
        .filter(Boolean)
        .join(", ");
    case "settled":
      return `${said("step")} settled: the ledger posted ${said("posted")} for it`;
    case "claimed":
      return `${said("amount")} reserved as ${said("claim")} for ${said("what")}`;
    case "released":
      return [`${said("claim")} ended: ${said("why")}`, textOf(fields["spent"])]
        .filter(Boolean)
        .join(", spent ");
    case "verified":
      return (
        `${said("step")} on ${said("target")}: predicted saving ${said("predicted")}, ` +
        `realised ${said("realised")}`
      );
    case "undone":
      return `${said("step")} taken back: ${said("outcome")}`;
    case "noted":
      return `${said("about")}: ${said("text")}`;
    case "checkpoint":
      return `record ${String(fields["seq"])} signed`;
    case "closed":
      return `the loop ended; the books are posted until ${said("posted_until")}`;
    case "accessed":
      return [said("what"), textOf(fields["who"]), textOf(fields["detail"])]
        .filter(Boolean)
        .join(", ");
    default:
      return plainly(fields);
  }
}

/** Of a record without words of its own: what fits on a line. */
function plainly(fields: Fields): string {
  return Object.entries(fields)
    .filter(([key, value]) => key !== "record" && value !== null && typeof value !== "object")
    .map(([key, value]) => `${key} ${String(value)}`)
    .join(", ");
}
