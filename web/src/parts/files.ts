/** Files that a viewer takes along: CSV of figures, PNG of pictures. */
import { ChartElement } from "../charts/element.ts";

export type Cell = string | number | null;

export interface Sheet {
  head: string[];
  rows: Cell[][];
}

/** RFC 4180. Unknown is an empty cell. A text that a spreadsheet would run is kept a text. */
export function csv(sheet: Sheet): string {
  const line = (cells: readonly Cell[]) => cells.map(cell).join(",");
  return `${[sheet.head, ...sheet.rows].map(line).join("\r\n")}\r\n`;
}

function cell(value: Cell): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const number = /^-?\d+(\.\d+)?$/.test(value);
  const text = !number && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function saveCsv(name: string, sheet: Sheet): void {
  const url = URL.createObjectURL(new Blob([csv(sheet)], { type: "text/csv;charset=utf-8" }));
  download(`${name}.csv`, url);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The picture in a figure: a chart, or a drawing in SVG. */
export async function savePng(name: string, figure: Element): Promise<void> {
  const chart = figure.querySelector("farthing-chart");
  const drawing = figure.querySelector<SVGSVGElement>("svg.drawing");
  if (chart instanceof ChartElement) {
    const url = chart.png();
    if (url) download(`${name}.png`, url);
  } else if (drawing) download(`${name}.png`, await paint(drawing));
}

function download(name: string, url: string): void {
  const link = document.createElement("a");
  link.download = `farthing-${name.replace(/[^a-z0-9.-]+/gi, "-").toLowerCase()}`;
  link.href = url;
  link.click();
}

const CARRIED = [
  "fill",
  "stroke",
  "stroke-width",
  "font-size",
  "font-weight",
  "font-family",
  "text-anchor",
];

/** A drawing is coloured by the style sheet: for a picture the colours are written into it. */
async function paint(drawing: SVGSVGElement): Promise<string> {
  const box = drawing.getBoundingClientRect();
  const copy = drawing.cloneNode(true) as SVGSVGElement;
  copy.setAttribute("width", String(box.width));
  copy.setAttribute("height", String(box.height));
  const from = [drawing, ...drawing.querySelectorAll("*")];
  const to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((element, at) => {
    const style = getComputedStyle(element);
    for (const name of CARRIED) to[at]?.setAttribute(name, style.getPropertyValue(name));
  });
  const patterns = document.querySelector("#patterns");
  if (patterns) copy.prepend(coloured(patterns));
  const text = new XMLSerializer().serializeToString(copy);
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    return await raster(url, box, getComputedStyle(drawing).getPropertyValue("--card"));
  } finally {
    URL.revokeObjectURL(url);
  }
}

function coloured(patterns: Element): Node {
  const copy = patterns.cloneNode(true) as Element;
  const to = copy.querySelectorAll("*");
  patterns.querySelectorAll("*").forEach((element, at) => {
    const style = getComputedStyle(element);
    for (const name of CARRIED.slice(0, 3)) {
      to[at]?.setAttribute(name, style.getPropertyValue(name));
    }
  });
  return copy;
}

async function raster(url: string, box: DOMRect, ground: string): Promise<string> {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = box.width * 2;
  canvas.height = box.height * 2;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser draws no pictures");
  context.fillStyle = ground.trim();
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}
