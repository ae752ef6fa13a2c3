/** The pages, in the order of the menu. */
import type { TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { cost } from "./cost.ts";
import { now } from "./now.ts";

export interface Page {
  id: string;
  name: string;
  draw(app: App): TemplateResult;
}

export const PAGES: readonly Page[] = [
  { id: "now", name: "Now", draw: now },
  { id: "cost", name: "Cost", draw: cost },
];
