"use strict";

const sets = [...document.querySelectorAll(".set")];
const [find, which, showing] = ["find", "which", "showing"].map((id) => document.getElementById(id));

// What a set lacks. A mark stands on a dotted circle there, which is no character of the set.
function lacking(set) {
  return (set.querySelector(".chars")?.textContent ?? "").replace(/\u25cc(?=\p{M})/gu, "");
}

// -- filter: by kind, and by a part of a set's name or by characters that it lacks ----------------
function codesOf(text) {
  const codes = [...text.matchAll(/U\+([0-9A-F]{4,6})/gi)].map((found) => parseInt(found[1], 16));
  return codes.filter((code) => code <= 0x10ffff).map((code) => String.fromCodePoint(code));
}

function isOfKind(set, kind) {
  if (kind === "begun") return Number(set.dataset.has) > 0;
  if (kind === "lacking") return set.matches("details");
  if (kind === "whole") return !set.matches("details");
  return true;
}

function isFound(set, text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return true;
  const said = [set.querySelector("code"), set.querySelector(".what")].map((part) => part.textContent.toLowerCase());
  if (said.some((part) => part.includes(wanted))) return true;
  const chars = [...codesOf(text), ...[...text.replace(/U\+[0-9A-F]*/gi, "")].filter((char) => char > "\x7f")];
  const lacks = chars.length ? new Set(lacking(set)) : null;
  return chars.some((char) => lacks.has(char));
}

function filter() {
  for (const set of sets) set.hidden = !isOfKind(set, which.value) || !isFound(set, find.value);
  for (const section of document.querySelectorAll("section")) section.hidden = !section.querySelector(".set:not([hidden])");
  showing.textContent = `${sets.filter((set) => !set.hidden).length} of ${sets.length} sets`;
}

find.addEventListener("input", filter);
which.addEventListener("change", filter);

// -- copying what a set lacks ---------------------------------------------------------------------
function copied(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy"); // works in a page opened as a file, where the newer way may not
  area.remove();
  return done;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const chars = lacking(button.closest(".set"));
  const code = (char) => `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  const done = copied(button.dataset.copy === "codes" ? [...chars].map(code).join(" ") : chars);
  const said = button.textContent;
  button.textContent = done ? "Copied" : "Not copied";
  setTimeout(() => { button.textContent = said; }, 1500);
});

filter();
