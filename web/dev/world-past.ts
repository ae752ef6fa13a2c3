/** The past of a made-up world: what its hours would have cost otherwise, and prices. */
import type { Past, PastPolicy, PriceSeries } from "../src/api/past-types.ts";
import { at, money, type World } from "./world.ts";

const OFFERS = ["aws/us-east-1/p5.48xlarge/on-demand", "gcp/us-central1/g2-standard-8/spot"];

export function past(world: World): Past {
  const { empty } = world.options;
  const policy = (policy: string, name: string, saving: number): PastPolicy => ({
    policy,
    name,
    cost: money(empty ? 0 : 1000 - saving),
    saving: money(empty ? 0 : saving),
    at_least: policy === "reserve",
    unknown: money(0),
    node_hours: 240,
    other_node_hours: policy === "release" ? 200 : 240,
    waits: 0,
    waiting: [],
    deadlines_kept: [],
    deadlines_missed: [],
    deadlines_unknown: [],
    stopped: [],
    interruptions: null,
    breaks: [],
    rows: OFFERS.map((offer, index) => ({
      offer: world.name(offer),
      other: null,
      source: null,
      as_of: null,
      kept: index === 1 ? "nobody looked, or what was seen is no longer kept" : null,
      was: money(500),
      cost: money(index === 1 ? 500 : 500 - saving),
      node_hours: 120,
      other_node_hours: 120,
    })),
    rows_of: 2,
  });
  const release: PastPolicy = {
    ...policy("release", "idle nodes released after 10m", 120),
    waits: 3,
    waiting: [{ workload: world.name("vision-0009"), node: "node-00005", at: at(-3) }],
    deadlines_missed: [world.name("vision-0009")],
    breaks: ["work came to a node that was released 3 times, and waits 3m for another one"],
  };
  return {
    window: { from: at(-24), to: at(0) },
    hours: empty ? 0 : 24,
    currency: "USD",
    paid: money(empty ? 0 : 1000),
    unpriced: 0,
    boot_s: 180,
    left_out: null,
    policies: [
      { ...policy("as-it-was", "as it was", 0), rows: [], rows_of: 0 },
      release,
      policy("reserve", "20.0 % of each kind kept free", 300),
      { ...policy("spot", "all nodes on spot", 520), interruptions: 4.5 },
      policy("cheapest", "cheapest with these accelerators", -40),
    ],
  };
}

export function prices(world: World): PriceSeries[] {
  if (world.options.empty) return [];
  return OFFERS.map((offer, index) => {
    const [provider = "", region = "", instance_type = "", purchase = ""] = offer.split("/");
    const price = (rate: number, from: number, to: number) => ({
      window: { from: at(from), to: at(to) },
      price: money(rate),
      kind: index === 1 ? "spot-quote" : "list",
      source: "a made-up catalogue",
      as_of: "2026-05-20",
    });
    const points =
      index === 1
        ? [price(0.5, -48, -30), price(0.75, -30, -12), price(0.6, -6, 0)]
        : [price(55, -48, 0)];
    return {
      offer: world.name(offer),
      provider,
      region,
      zone: null,
      instance_type,
      accelerator: null,
      accelerator_count: null,
      purchase,
      currency: "USD",
      now: index === 1 ? null : money(55),
      lowest: money(index === 1 ? 0.5 : 55),
      highest: money(index === 1 ? 0.75 : 55),
      points,
      points_of: points.length,
    };
  });
}
