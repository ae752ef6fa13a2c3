/** What is worked out from an answer of the server is worked out once for that answer. */

const kept = new WeakMap<object, Map<string, unknown>>();

/** `make()`, or what it gave before for the same `source` (by identity) and `name`. */
export function derive<T>(source: object, name: string, make: () => T): T {
  let all = kept.get(source);
  if (!all) {
    all = new Map();
    kept.set(source, all);
  }
  if (!all.has(name)) all.set(name, make());
  return all.get(name) as T;
}
