/** `<farthing-chart>`: draws a [`ChartSpec`], again only when its key or the colours change. */
import type { EChartsType } from "echarts/core";
import { type ChartSpec, inkOf } from "./spec.ts";

/** Sent to the document when light turns to dark or back. */
export const RECOLOURED = "farthing-recoloured";

const engine = () => import("./engine.ts");

export class ChartElement extends HTMLElement {
  #spec: ChartSpec | null = null;
  #drawn = "";
  #chart: EChartsType | null = null;
  #loading = false;
  readonly #resized = new ResizeObserver(() => this.#fit());
  readonly #recoloured = () => this.#draw(true);

  get spec(): ChartSpec | null {
    return this.#spec;
  }

  set spec(spec: ChartSpec | null) {
    this.#spec = spec;
    if (this.isConnected) this.#draw(false);
  }

  connectedCallback(): void {
    this.setAttribute("role", "img");
    this.#resized.observe(this);
    document.addEventListener(RECOLOURED, this.#recoloured);
    this.#draw(true);
  }

  disconnectedCallback(): void {
    this.#resized.disconnect();
    document.removeEventListener(RECOLOURED, this.#recoloured);
    this.#chart?.dispose();
    this.#chart = null;
    this.#drawn = "";
  }

  /** The picture as it is, on the ground of a card, twice as fine as the screen. */
  png(): string | null {
    const ink = inkOf(this);
    return this.#chart?.getDataURL({ pixelRatio: 2, backgroundColor: ink.card }) ?? null;
  }

  #draw(anyway: boolean): void {
    const spec = this.#spec;
    if (!spec || !this.isConnected) return;
    if (this.getAttribute("aria-label") !== spec.label) this.setAttribute("aria-label", spec.label);
    if (this.style.height !== `${spec.height}px`) this.style.height = `${spec.height}px`;
    if (!this.#chart) {
      void this.#load();
      return;
    }
    if (!anyway && spec.key === this.#drawn) return;
    const ink = inkOf(this);
    this.#chart.setOption(
      { ...base(ink), ...spec.option(ink, this.clientWidth) },
      { notMerge: true },
    );
    this.#drawn = spec.key;
    this.dataset["drawn"] = "true";
  }

  async #load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      const { init } = await engine();
      if (!this.isConnected || this.#chart) return;
      this.#chart = init(this, null, { renderer: "canvas" });
      this.#chart.on("click", (params) => {
        const { name, seriesName = "", data } = params;
        this.#spec?.picked?.({ name, seriesName, data });
      });
      this.#draw(true);
    } finally {
      this.#loading = false;
    }
  }

  #fit(): void {
    if (!this.#chart || this.clientWidth === 0) return;
    this.#chart.resize();
    this.#draw(true);
  }
}

/** What all charts share: no animation (figures change each tick), our type, plain text only. */
function base(ink: ReturnType<typeof inkOf>): object {
  return {
    animation: false,
    textStyle: { fontFamily: ink.font, color: ink.text, fontSize: 12 },
    tooltip: {
      renderMode: "richText",
      confine: true,
      backgroundColor: ink.card,
      borderColor: ink.line,
      textStyle: { color: ink.text, fontSize: 12, fontFamily: ink.font },
    },
  };
}

customElements.define("farthing-chart", ChartElement);
