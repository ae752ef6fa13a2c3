/** The pages, in the order of the menu. */
import type { TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { budgets } from "./budgets.ts";
import { cost } from "./cost.ts";
import { journal } from "./journal.ts";
import { nodes } from "./nodes.ts";
import { now } from "./now.ts";
import { offers } from "./offers.ts";
import { plan } from "./plan.ts";
import { savings } from "./savings.ts";
import { whatIf } from "./what-if.ts";

export interface Page {
  id: string;
  name: string;
  draw(app: App): TemplateResult;
}

export const PAGES: readonly Page[] = [
  { id: "now", name: "Now", draw: now },
  { id: "cost", name: "Cost", draw: cost },
  { id: "plan", name: "Plan", draw: plan },
  { id: "budgets", name: "Budgets", draw: budgets },
  { id: "nodes", name: "Nodes and GPUs", draw: nodes },
  { id: "what-if", name: "What-if", draw: whatIf },
  { id: "savings", name: "Savings", draw: savings },
  { id: "offers", name: "Offers", draw: offers },
  { id: "journal", name: "Journal", draw: journal },
];
