/** A chart of values by minute, with the same values as text: in a sentence, and in a table that can be opened. */
import uPlot from "uplot";

import type { Minutes } from "./counters.js";
import { element, make } from "./dom.js";
import { number } from "./words.js";

/** Lines differ by colour, and by how they are drawn. */
const DASHES = [[], [6, 3], [2, 3], [10, 3, 2, 3], [4, 8]];

/** How many minutes the table has. */
const LISTED = 15;

/** The height of a chart, in pixels. */
const HEIGHT = 180;

/** Returns how a chart looks with the colours of the page as they are now. */
function options(names: readonly string[], width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, highest) => [0, Math.max(highest * 1.1, 5)] } },
    axes: [
      { ...axis, values: (_, times) => times.map((time) => new Date(time * 1000).toTimeString().slice(0, 5)), space: 60, incrs: [60, 120, 300, 600, 1800, 3600] },
      { ...axis, size: 56, values: (_, values) => values.map((value) => (Number.isInteger(value) ? number(value) : "")) },
    ],
    series: [
      {},
      ...names.map((label, at) => ({ label, stroke: color(`--series-${at + 1}`), width: 2, dash: DASHES[at] ?? [], points: { show: true, size: 5, fill: color(`--series-${at + 1}`) } })),
    ],
  };
}

/** A chart in the element `id`, with a legend, a sentence and a table. */
export class Chart {
  readonly #minutes: Minutes;
  readonly #plotted: HTMLElement;
  readonly #sentence = make("p", { class: "sentence" });
  readonly #body = make("tbody");
  readonly #labels: readonly string[];
  readonly #unit: string;
  #plot: uPlot | undefined;

  constructor(id: string, minutes: Minutes, labels: readonly string[], unit: string) {
    this.#minutes = minutes;
    this.#labels = labels;
    this.#unit = unit;
    // Those who can't see the picture get the sentence and the table.
    this.#plotted = make("div", { class: "plot", "aria-hidden": "true" });
    const legend = labels.map((label, at) => make("li", {}, make("span", { class: `line line-${at + 1}` }), label));
    const head = make("tr", {}, make("th", { scope: "col", text: "Minute" }), ...labels.map((text) => make("th", { scope: "col", text })));
    const table = make("table", {}, make("caption", { text: `${unit} by minute, the last ${LISTED} minutes` }), make("thead", {}, head), this.#body);
    const details = make("details", {}, make("summary", { text: `${unit} as a table` }), make("div", { class: "scroll" }, table));
    element(id).append(make("ul", { class: "legend", "aria-hidden": "true" }, ...legend), this.#plotted, this.#sentence, details);
    // The width and the colours are those of the page.
    new ResizeObserver(() => this.#resize()).observe(this.#plotted);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** Shows the values as they are now. */
  update(): void {
    const columns = this.#minutes.columns;
    if (this.#plot === undefined) this.#draw();
    else this.#plot.setData(columns as uPlot.AlignedData);
    const totals = this.#minutes.totals;
    this.#sentence.textContent = `${this.#unit} since this page was opened: ${totals.map((total, at) => `${number(total)} ${this.#labels[at]}`).join(", ")}.`;
    const [times = [], ...values] = columns;
    const rows = times.map((time, at) => [new Date(time * 1000).toTimeString().slice(0, 5), ...values.map((value) => number(value[at] ?? 0))]);
    this.#body.replaceChildren(
      ...rows.slice(-LISTED).reverse().map(([time, ...cells]) => make("tr", {}, make("th", { scope: "row", text: time ?? "" }), ...cells.map((text) => make("td", { text })))),
    );
  }

  #resize(): void {
    const width = this.#plotted.clientWidth;
    if (width > 0 && this.#plot !== undefined && this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
    else if (this.#plot === undefined) this.#draw();
  }

  #draw(): void {
    const width = this.#plotted.clientWidth;
    if (width === 0) return;
    this.#plot?.destroy();
    this.#plot = new uPlot(options(this.#minutes.names, width), this.#minutes.columns as uPlot.AlignedData, this.#plotted);
  }
}
