/** What a page hands to a chart. Nothing here imports ECharts, so that the shell loads without. */

/** The colours of the page as it is now: light or dark. */
export interface Ink {
  text: string;
  soft: string;
  line: string;
  card: string;
  ground: string;
  /** The four places, by name. */
  places: Record<string, string>;
  /** Series in order; what is left over is `other`. */
  series: string[];
  other: string;
  good: string;
  warn: string;
  /** From little to much. */
  ramp: string[];
  /** Words on the far half of the ramp. */
  onRamp: string;
  /** Where nothing is. */
  empty: string;
  /** Of patterns, over any colour. */
  decal: string;
  font: string;
}

export interface Picked {
  name: string;
  seriesName: string;
  data: unknown;
}

export interface ChartSpec {
  /** Same key, same picture: it is then not drawn again. */
  key: string;
  height: number;
  /** What a person who does not see it is told. */
  label: string;
  /** In the words of ECharts. */
  option(ink: Ink, width: number): object;
  picked?(params: Picked): void;
}

/** Reads the colours from the style sheet, so that they are said in one place. */
export function inkOf(element: Element): Ink {
  const style = getComputedStyle(element);
  const value = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const list = (name: string, last: number) =>
    Array.from({ length: last }, (_, at) => value(`${name}${at + 1}`));
  return {
    text: value("text"),
    soft: value("soft"),
    line: value("line"),
    card: value("card"),
    ground: value("ground"),
    places: {
      used: value("used"),
      idle: value("idle"),
      unallocated: value("unallocated"),
      overhead: value("overhead"),
    },
    series: list("series", 7),
    other: value("other"),
    good: value("good"),
    warn: value("warn"),
    ramp: list("ramp", 5),
    onRamp: value("on-ramp"),
    empty: value("empty"),
    decal: value("decal"),
    font: style.fontFamily,
  };
}
