/** The shapes of `/offers`, as on the command line. */

export interface Offer {
  id: string;
  provider: string;
  region: string;
  zone: string | null;
  instance_type: string;
  accelerator: string | null;
  accelerator_count: number;
  vcpus: string;
  memory_gib: string;
  purchase: string;
  price: string | null;
  currency: string | null;
  price_kind: string | null;
  source: string | null;
  as_of: string | null;
  nodes: number;
  total: string;
  warnings: string[];
}

export interface Offers {
  offers: Offer[];
  considered: number;
  matched: number;
  excluded: Record<string, number>;
  query_ms: number;
  compared: string;
  near: { reason: string; offer: Offer }[];
  otherwise_paid: Offer[];
  split: Offer | null;
  book: {
    offers: number;
    oldest: string | null;
    newest: string | null;
    age_days: number | null;
    from: string;
  };
}
