/**
 * Pictures of the drawings in the page, to be saved.
 */
import { escapeText } from "./drawing.mjs";

const MOVING = `
.frame { visibility: hidden; animation: show SECONDSs steps(1) infinite; }
@keyframes show { 0% { visibility: visible; } SHARE% { visibility: hidden; } }
@media (prefers-reduced-motion: reduce) { .frame { animation: none; } .frame:first-child { visibility: visible; } }`;

/**
 * One SVG of all drawings, as they are now or moving. Its colours follow the system's scheme; programs that know
 * no CSS variables take those of now.
 *
 * @param {string} title
 * @param {object[][]} steps Per panel and step what lies over its drawings, by their names; without steps the SVG
 *   does not move.
 * @param {number} speed Steps per second.
 * @param {boolean} fixed Whether the colours are written in as they are now, as a PNG needs them.
 */
export function exportedSvg(title, { steps = [], speed = 1, fixed = false } = {}) {
  const count = steps[0]?.length ?? 0;
  const colours = getComputedStyle(document.documentElement);
  const resolve = (text) => text.replace(/var\((--[a-z-]+)\)/g, (_, name) => colours.getPropertyValue(name).trim());
  const moving = count ? MOVING.replace("SECONDS", count / speed).replace("SHARE", 100 / count) : "";
  const text = (id) => document.getElementById(id).textContent;
  const drawn = `${text("drawing-style")}.drawing .paper { fill: var(--paper); }`;
  const followed = (rules) => rules.replace(/[^;{}]*var\([^;}]*/g, (rule) => `${resolve(rule)};${rule}`);
  const style = (fixed ? resolve(drawn) : text("colours") + followed(drawn)) + moving;
  const margin = 28;
  let [top, widest] = [margin, 0];
  let content = "";
  for (const article of document.querySelectorAll(".panel[data-panel]")) {
    let [left, tallest] = [margin, 0];
    for (const figure of article.querySelectorAll("figure")) {
      const drawing = figure.querySelector("svg").cloneNode(true);
      const [width, height] = ["width", "height"].map((side) => Number(drawing.getAttribute(side)));
      const caption = figure.querySelector("figcaption").innerHTML.split("<br>")[0].replace("<sup>T</sup>", "ᵀ");
      const name = new DOMParser().parseFromString(caption, "text/html").body.textContent;
      if (count) {
        drawing.querySelector(".marks").innerHTML = steps[article.dataset.panel].map((marks, number) =>
          `<g class="frame" style="animation-delay:${number / speed}s">${marks[figure.dataset.map]}</g>`).join("");
      }
      drawing.setAttribute("x", left);
      drawing.setAttribute("y", top + 22);
      content += `<text class="caption" x="${left}" y="${top + 8}">${escapeText(name)}</text>`;
      content += new XMLSerializer().serializeToString(drawing);
      left += Math.max(width, name.length * 6.6) + margin;
      tallest = Math.max(tallest, height);
    }
    widest = Math.max(widest, left);
    top += tallest + 22 + margin;
  }
  return {
    width: Math.ceil(widest),
    height: Math.ceil(top),
    text: `<svg class="drawing" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${widest} ${top}" width="${widest}" height="${top}">` +
      `<title>${escapeText(title)}</title><style>${style.replaceAll("<", "&lt;")}</style>` +
      `<rect class="paper" width="100%" height="100%"/>${content}</svg>`,
  };
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const saveSvg = ({ text }, name) => save(new Blob([text], { type: "image/svg+xml" }), name);

export function savePng({ text, width, height }, name) {
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * width, 2 * height];
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    canvas.toBlob((blob) => save(blob, name), "image/png");
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}
