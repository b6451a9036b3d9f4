"use strict";

// -- sorting: click a header; missing values stay at the end ----------------------------------
function valueOf(row, column, numeric) {
  const text = row.cells[column].dataset.value;
  if (text === undefined || text === "") return null;
  return numeric ? Number(text) : text;
}

function sortBy(header) {
  const body = header.closest("table").tBodies[0];
  const headers = [...header.parentElement.cells];
  const column = headers.indexOf(header);
  const numeric = header.dataset.kind === "number";
  const first = header.dataset.first || "ascending";
  const second = first === "ascending" ? "descending" : "ascending";
  const direction = header.getAttribute("aria-sort") === first ? second : first;
  headers.forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", direction);
  const sign = direction === "ascending" ? 1 : -1;
  const rows = [...body.rows].sort((one, other) => {
    const a = valueOf(one, column, numeric);
    const b = valueOf(other, column, numeric);
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (numeric ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  });
  body.append(...rows);
}

document.querySelectorAll("table.sortable thead button").forEach((button) => {
  button.addEventListener("click", () => sortBy(button.closest("th")));
});

// -- enlarging: click a glyph, or Enter on it; arrows go along its row -------------------------
const dialog = document.querySelector("dialog");
let shown = null;

function enlarge(button) {
  shown = button;
  const truth = document.getElementById(button.dataset.truth || "");
  const own = [...button.querySelectorAll("img")];
  const images = truth && !own.includes(truth) ? [truth, ...own] : own;
  const figures = images.map((image) => {
    const figure = document.createElement("figure");
    const copy = document.createElement("img");
    const caption = document.createElement("figcaption");
    copy.src = image.src;
    copy.alt = image.alt;
    caption.textContent = image.dataset.role;
    figure.append(copy, caption);
    return figure;
  });
  dialog.querySelector(".title").textContent = button.dataset.title;
  dialog.querySelector(".figures").replaceChildren(...figures);
  if (!dialog.open) dialog.showModal();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.glyph");
  if (button) enlarge(button);
  else if (event.target === dialog || event.target.closest("dialog .close")) dialog.close();
});

dialog.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || !shown) return;
  const row = [...shown.closest("tr, .worst").querySelectorAll("button.glyph")];
  const next = row[row.indexOf(shown) + step];
  if (next) enlarge(next);
  event.preventDefault();
});

dialog.addEventListener("close", () => {
  if (shown) shown.focus();
});
