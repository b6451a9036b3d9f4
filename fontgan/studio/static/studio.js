// What the pages do beyond links and forms: they look for changes, take dropped files, judge glyphs by keys, set text.
"use strict";

// -- systems without Han characters draw the same box for all ----------------------------------------------------
function drawn(char) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 32 });
  const pen = canvas.getContext("2d");
  pen.font = `24px ${getComputedStyle(document.body).fontFamily}`;
  pen.fillText(char, 2, 26);
  return canvas.toDataURL();
}
if (drawn("永") === drawn("宛")) document.body.classList.add("boxes");

// -- changes: the page is asked for again, and of it what is marked data-live takes the place of what stands there ----
const BUSY_MS = 1500;
const IDLE_MS = 8000;

async function refresh() {
  const answer = await fetch(location.href, { headers: { "X-Live": "1" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || now.innerHTML === old.innerHTML || old.contains(document.activeElement)) continue;
    old.replaceChildren(...now.childNodes);
  }
  const face = [...fresh.querySelectorAll('link[href^="/font/face.css"]')][0];
  const shown = document.querySelector('link[href^="/font/face.css"]');
  if (face && shown && face.getAttribute("href") !== shown.getAttribute("href")) shown.href = face.getAttribute("href");
  // Parts that are not there before something is done come with the whole page.
  if (fresh.querySelectorAll("[data-live]").length !== document.querySelectorAll("[data-live]").length) location.reload();
}

let wasBusy = false;
async function watch() {
  try {
    await refresh();
    const busy = document.querySelector("[data-busy]") !== null;
    const typing = document.activeElement && document.activeElement.matches("input, textarea, select, [contenteditable]");
    if (wasBusy && !busy && !typing && !document.querySelector("ink-canvas, [data-judge]")) location.reload();
    wasBusy = busy;
  } catch {
    wasBusy = false; // the server is not there; it is looked for again
  }
  setTimeout(watch, document.querySelector("[data-busy]") ? BUSY_MS : IDLE_MS);
}
wasBusy = document.querySelector("[data-busy]") !== null;
setTimeout(watch, wasBusy ? BUSY_MS : IDLE_MS);

for (const select of document.querySelectorAll("[data-submit]")) {
  select.addEventListener("change", () => select.form.submit());
}
// A box that stands for "none of the others".
for (const alone of document.querySelectorAll("[data-alone]")) {
  const others = [...alone.closest("fieldset").querySelectorAll("input")].filter((box) => box !== alone);
  alone.addEventListener("change", () => others.forEach((box) => (box.checked = false)));
  for (const box of others) {
    box.addEventListener("change", () => (alone.checked = !others.some((each) => each.checked)));
  }
}

// -- dropping files ------------------------------------------------------------------------------------------------
async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    for (const each of some) found.push(...(await filesOf(each)));
  }
}

function send(form, files) {
  const data = new FormData();
  for (const field of new FormData(form).entries()) if (!(field[1] instanceof File)) data.append(...field);
  for (const file of files) if (!file.name.startsWith(".")) data.append("files", file, file.name);
  const bar = form.querySelector(".sending");
  const notSent = form.querySelector(".not-sent");
  bar.hidden = false;
  notSent.hidden = true;
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", (event) => (bar.value = event.loaded / Math.max(1, event.total)));
  request.addEventListener("load", () => {
    if (request.status < 400) {
      location.href = request.responseURL;
      return;
    }
    document.open();
    document.write(request.responseText);
    document.close();
  });
  request.addEventListener("error", () => {
    bar.hidden = true;
    notSent.hidden = false;
  });
  request.open("POST", form.action);
  request.send(data);
}

for (const form of document.querySelectorAll("[data-drop]")) {
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => input.files.length && send(form, [...input.files]));
  }
  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", async (event) => {
    event.preventDefault();
    form.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    const files = [];
    for (const entry of entries) files.push(...(await filesOf(entry)));
    if (files.length) send(form, files);
  });
}
// A file that misses its place must not replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

// -- judging glyphs ------------------------------------------------------------------------------------------------
const grid = document.querySelector("[data-judge]");
if (grid) {
  const cells = [...grid.querySelectorAll(".cell")];
  const which = document.getElementById("which");
  const shown = () => cells.filter((cell) => !cell.hidden);
  const filters = {
    doubtful: (cell) => cell.classList.contains("flagged"),
    open: (cell) => cell.matches(".flagged:not(.kept):not(.rejected):not(.redrawn)"),
    rejected: (cell) => cell.classList.contains("rejected"),
    redrawn: (cell) => cell.classList.contains("redrawn"),
  };
  const filter = () => {
    for (const cell of cells) cell.hidden = which.value !== "" && !filters[which.value](cell);
    document.getElementById("showing").textContent = `${shown().length} / ${cells.length}`;
  };
  which.addEventListener("change", filter);
  filter();

  const judge = async (cell, verdict) => {
    const there = cell.classList.contains(verdict === "keep" ? "kept" : "rejected");
    const body = new URLSearchParams({ char: cell.dataset.c, verdict: there ? "none" : verdict });
    const answer = await fetch(grid.dataset.judge, { method: "POST", body, headers: { Accept: "application/json" } });
    if (!answer.ok) return location.reload(); // the glyphs are others by now: what stands is shown
    const found = await answer.json();
    cell.classList.toggle("kept", found.keep.includes(cell.dataset.c));
    cell.classList.toggle("rejected", found.reject.includes(cell.dataset.c));
  };
  grid.addEventListener("click", (event) => {
    const button = event.target.closest("[data-verdict]");
    if (button) judge(button.closest(".cell"), button.dataset.verdict);
  });
  grid.addEventListener("keydown", (event) => {
    const cell = event.target.closest(".cell");
    if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
    const order = shown();
    const place = order.indexOf(cell);
    const columns = order.filter((each) => each.offsetTop === order[0].offsetTop).length;
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
    if (event.key in moves) {
      event.preventDefault();
      order[Math.min(order.length - 1, Math.max(0, place + moves[event.key]))].querySelector(".look").focus();
    } else if (event.key === "k" || event.key === "r") {
      judge(cell, event.key === "k" ? "keep" : "reject");
      order[Math.min(order.length - 1, place + 1)].querySelector(".look").focus();
    } else if (event.key === "d") {
      location.href = cell.querySelector(".look").href;
    }
  });
}

// -- parts of a page that come when they are reckoned ---------------------------------------------------------------
for (const place of document.querySelectorAll("[data-later]")) {
  fetch(place.dataset.later)
    .then((answer) => (answer.ok ? answer.text() : ""))
    .then((text) => place.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes));
}

// -- comparing: the space bar, as long as it is held, or the button -------------------------------------------------
const flip = (on) => {
  document.body.classList.toggle("flipped", on);
  document.getElementById("flip")?.setAttribute("aria-pressed", document.body.classList.contains("flipped"));
};
document.addEventListener("click", (event) => event.target.id === "flip" && flip());
for (const [kind, on] of [["keydown", true], ["keyup", false]]) {
  document.addEventListener(kind, (event) => {
    if (event.key !== " " || !document.getElementById("flip") || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    flip(on);
  });
}

// -- drawing: saving one brings the next ----------------------------------------------------------------------------
for (const canvas of document.querySelectorAll("ink-canvas[data-next]")) {
  canvas.addEventListener("saved", () => setTimeout(() => (location.href = canvas.dataset.next), 350));
}

// -- text set in the font -------------------------------------------------------------------------------------------
const sample = document.getElementById("sample");
if (sample) {
  const size = document.getElementById("size");
  const vertical = document.getElementById("vertical");
  size.addEventListener("input", () => {
    sample.style.fontSize = `${size.value}px`;
    document.getElementById("size-said").textContent = size.value;
  });
  vertical.addEventListener("change", () => sample.classList.toggle("upright", vertical.checked));
  let waiting = 0;
  sample.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => fetch("/font/text", { method: "POST", body: new URLSearchParams({ text: sample.textContent }) }), 800);
  });
}
