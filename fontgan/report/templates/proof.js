"use strict";

const cells = [...document.querySelectorAll(".cell")];
const byId = (id) => document.getElementById(id);
const [which, chars, rejected, copy] = ["which", "chars", "rejected", "copy"].map(byId);

// -- filter: by kind, and by characters or code points ------------------------------------------
function wantedChars() {
  const codes = [...chars.value.matchAll(/U\+([0-9A-F]{4,6})/gi)].map((found) => parseInt(found[1], 16));
  const written = chars.value.replace(/U\+[0-9A-F]*/gi, "");
  const known = codes.filter((code) => code <= 0x10ffff).map((code) => String.fromCodePoint(code));
  return new Set([...known, ...[...written].filter((char) => char.trim())]);
}

function isOfKind(cell, kind) {
  const flags = (cell.dataset.f || "").split(" ").filter(Boolean);
  if (kind === "doubtful") return flags.length > 0;
  if (kind === "passed") return flags.length === 0;
  if (kind === "rejected") return cell.classList.contains("rejected");
  return !kind || flags.includes(kind.slice("flag:".length));
}

function filter() {
  const wanted = wantedChars();
  let shown = 0;
  for (const cell of cells) {
    cell.hidden = !isOfKind(cell, which.value) || (wanted.size > 0 && !wanted.has(cell.dataset.c));
    if (!cell.hidden) shown += 1;
  }
  // Few cells in many groups would stand in ragged rows.
  document.body.classList.toggle("filtered", shown < cells.length);
  for (const group of document.querySelectorAll(".group")) group.hidden = !group.querySelector(".cell:not([hidden])");
  for (const id of ["doubtful", "others"]) {
    const title = byId(id);
    if (!title) continue;
    let next = title.nextElementSibling;
    let any = false;
    for (; next && next.matches(".group"); next = next.nextElementSibling) any = any || !next.hidden;
    title.hidden = !any;
  }
  byId("showing").textContent = `${shown} of ${cells.length}`;
}

which.addEventListener("change", filter);
chars.addEventListener("input", filter);

// -- rejecting: the characters gather in the box, in the order of the page ------------------------
function reject(cell) {
  const on = cell.classList.toggle("rejected");
  cell.querySelector(".no").setAttribute("aria-pressed", on);
  if (shown === cell) dialog.querySelector(".act .no").setAttribute("aria-pressed", on);
  rejected.value = cells.filter((each) => each.classList.contains("rejected")).map((each) => each.dataset.c).join("");
  copy.disabled = !rejected.value;
  copy.textContent = "Copy";
}

copy.addEventListener("click", () => {
  rejected.select();
  document.execCommand("copy"); // works in a page opened as a file, where the newer way may not
  copy.textContent = "Copied";
});

// -- enlarging: click a glyph, or Enter on it; arrows go on ---------------------------------------
const dialog = document.querySelector("dialog");
let shown = null;

function enlarge(cell) {
  shown = cell;
  const char = cell.dataset.c;
  const code = char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  dialog.querySelector(".title").textContent = `${char} U+${code}`;
  dialog.querySelector(".facts").textContent = [cell.dataset.why, cell.dataset.s].filter(Boolean).join(" · ");
  dialog.querySelector(".act .no").setAttribute("aria-pressed", cell.classList.contains("rejected"));
  for (const made of dialog.querySelectorAll(".new")) made.textContent = char;
  const source = cell.querySelector(".src");
  for (const picture of dialog.querySelectorAll(".src")) {
    const style = getComputedStyle(source);
    picture.style.backgroundImage = style.backgroundImage;
    picture.style.backgroundPosition = style.backgroundPosition;
  }
  if (!dialog.open) dialog.showModal();
}

function go(step) {
  const visible = cells.filter((cell) => !cell.hidden);
  const next = visible[visible.indexOf(shown) + step];
  if (next) enlarge(next);
}

document.addEventListener("click", (event) => {
  const cell = event.target.closest(".cell");
  if (event.target.closest(".cell .no")) reject(cell);
  else if (cell && event.target.closest(".look")) enlarge(cell);
  else if (event.target.closest("dialog .act .no")) reject(shown);
  else if (event.target.closest("dialog .step")) go(Number(event.target.dataset.step));
  else if (event.target === dialog || event.target.closest("dialog .close")) dialog.close();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const cell = dialog.open ? shown : event.target.closest(".cell");
  if (!cell) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.key === "r" || event.key === "R") reject(cell);
  else if (step && dialog.open) go(step);
  else if (step) {
    const visible = cells.filter((each) => !each.hidden);
    visible[visible.indexOf(cell) + step]?.querySelector(".look").focus();
  } else return;
  event.preventDefault();
});

dialog.addEventListener("close", () => {
  if (shown) shown.querySelector(".look").focus();
});

const tint = byId("tint");
if (tint) tint.addEventListener("change", () => document.body.classList.toggle("tinted", tint.checked));

filter();
