// <ink-canvas>: a sheet to write or mend one character on, with its tools.
//
//   char     the character                    ghost  URL of the source's glyph image, shown faint
//   save     URL that takes the JSON (POST)   base   URL of a glyph image that is mended
//   ink      URL of the strokes of earlier    texts  JSON object: other words for what DEFAULT_TEXTS says
//
// Events, both with the ink as detail: "changed" after each stroke or undo, "saved" once the server has it.
// Glyph images are on the canvas of fontgan.handwriting.sheet; the JSON is that of fontgan/handwriting/ink.py.
"use strict";

import { FORMAT, LIMITS } from "./ink_shape.js";
import { Sheet, fetchGlyph } from "./ink_sheet.js";

const DEFAULT_TEXTS = {
  sheet: "Sheet for {char}. Write with a pen, a finger or the mouse.",
  tools: "Tools",
  pen: "Pen (P)",
  eraser: "Eraser (E)",
  width: "Width of the line ([ and ])",
  units: "{units} units", // of a thousand to the em
  undo: "Undo (Ctrl+Z)",
  redo: "Redo (Ctrl+Shift+Z)",
  clear: "Clear all strokes",
  ghost: "Show the source's glyph",
  save: "Save",
  saving: "Saving {char} …",
  saved: "Saved {char}.",
  unsaved: "{char} has changes that are not saved.",
  restored: "Strokes of {char} that were not saved are back.",
  notSaved: "{char} is not saved: {error}",
  notLoaded: "Not loaded: {error}",
  notKept: "This browser keeps no unsaved strokes: {error}",
  full: "A character takes no more strokes than these.",
};

const ICONS = {
  pen: "M4 20l1.2-4.6L16.4 4.2a1.9 1.9 0 0 1 2.7 0l.7.7a1.9 1.9 0 0 1 0 2.7L8.6 18.8zM14.4 6.2l3.4 3.4",
  eraser: "M9 20h11M5.2 15.3l9.6-9.6a1.9 1.9 0 0 1 2.7 0l2.8 2.8a1.9 1.9 0 0 1 0 2.7L11.5 20H8.4l-3.2-3.2a1.1 1.1 0 0 1 0-1.5zM10.3 10.2l5.6 5.6",
  undo: "M8.5 5L4 9.5 8.5 14M4 9.5h10a5.25 5.25 0 0 1 0 10.5H9",
  redo: "M15.5 5L20 9.5 15.5 14M20 9.5H10a5.25 5.25 0 0 0 0 10.5h5",
  clear: "M4 6.5h16M9 6.5V4h6v2.5M6.2 6.5L7.2 20h9.6l1-13.5M10.2 10.5v5.5M13.8 10.5v5.5",
  ghost: "M2.5 12C5 7.7 8.2 5.5 12 5.5s7 2.2 9.5 6.5c-2.5 4.3-5.7 6.5-9.5 6.5S5 16.3 2.5 12zM12 9a3 3 0 1 1 0 6a3 3 0 1 1 0-6z",
};

const INK_COLOUR = [0, 0, 0];
const GHOST_COLOUR = [46, 94, 150];
const FIRST_WIDTHS = { pen: 0.06, eraser: 0.1 };
const WIDTHS_KEY = "fontgan ink widths";
const SLIDER_STEPS = 100;

// The slider goes from the thinnest line to the thickest by equal factors.
const widthAt = (step) => Number((LIMITS.thin * (LIMITS.thick / LIMITS.thin) ** (step / SLIDER_STEPS)).toPrecision(3));
const stepOf = (width) => (SLIDER_STEPS * Math.log(width / LIMITS.thin)) / Math.log(LIMITS.thick / LIMITS.thin);

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.appendChild(document.createElementNS(svg.namespaceURI, "path")).setAttribute("d", ICONS[name]);
  return svg;
}

async function reasonOf(response) {
  const said = response.headers.get("content-type")?.startsWith("text/plain") ? await response.text() : "";
  return said.trim().split("\n")[0].slice(0, 300) || `${response.status} ${response.statusText}`.trim();
}

class InkCanvas extends HTMLElement {
  static observedAttributes = ["char", "ghost", "base", "ink", "save", "texts"];

  connectedCallback() {
    this.reload();
  }

  disconnectedCallback() {
    this.sheet?.resizing.disconnect();
    this.round = null; // what is still on its way comes too late
  }

  attributeChangedCallback() {
    if (this.isConnected) this.reload();
  }

  get ink() {
    return { format: FORMAT, char: this.getAttribute("char") ?? "", strokes: this.strokes ?? [] };
  }

  get strokes() {
    return this.history?.[this.at];
  }

  get unsaved() {
    return Boolean(this.history) && this.strokes !== this.kept;
  }

  text(key, words = {}) {
    const told = { char: this.getAttribute("char") ?? "", ...words };
    return this.texts[key].replace(/\{(\w+)\}/g, (whole, name) => told[name] ?? whole);
  }

  // -- what is shown at first -----------------------------------------------------------------------
  // Several attributes set one after the other are loaded once.
  reload() {
    const round = (this.round = {});
    queueMicrotask(() => round === this.round && this.load(round));
  }

  async load(round) {
    this.texts = { ...DEFAULT_TEXTS, ...JSON.parse(this.getAttribute("texts") || "{}") };
    this.history = null; // nothing is written before what is there has come
    this.build();
    const glyph = (name, colour) => this.getAttribute(name) && fetchGlyph(this.getAttribute(name), colour);
    const loaded = [glyph("ghost", GHOST_COLOUR), glyph("base", INK_COLOUR), this.fetchStrokes()];
    const [ghost, base, earlier] = await Promise.allSettled(loaded);
    if (round !== this.round) return;
    const fault = [base, earlier, ghost].find((part) => part.reason)?.reason.message;
    if (fault) this.say("notLoaded", { error: fault }, true);
    this.buttons.ghost.hidden = !ghost.value;
    this.sheet.show({ ghost: ghost.value });
    if (base.reason || earlier.reason) return; // to write without them and save would be to lose them
    this.kept = earlier.value;
    this.history = [this.kept];
    this.at = 0;
    const draft = this.draft();
    if (draft) this.at = this.history.push(draft) - 1;
    this.sheet.show({ strokes: this.strokes, base: base.value });
    this.update();
    if (draft && !fault) this.say("restored");
  }

  async fetchStrokes() {
    if (!this.getAttribute("ink")) return [];
    const response = await fetch(this.getAttribute("ink"), { cache: "no-store" });
    if (response.status === 404) return [];
    if (!response.ok) throw new Error(await reasonOf(response));
    return (await response.json()).strokes;
  }

  // -- the element's parts --------------------------------------------------------------------------
  build() {
    const focused = this.contains(document.activeElement);
    this.sheet?.resizing.disconnect();
    this.widths = this.storedWidths();
    this.sheet = new Sheet({
      tool: (turned) => {
        const tool = turned ? "eraser" : this.tool;
        return { width: this.widths[tool], erase: tool === "eraser" };
      },
      room: () => this.pointsLeft(),
      onStroke: (strokes) => this.change(strokes),
    });
    this.sheet.element.setAttribute("role", "application");
    this.sheet.element.setAttribute("aria-label", this.text("sheet"));
    this.buttons = {};
    const group = (...parts) => {
      const element = document.createElement("div");
      element.className = "group";
      element.append(...parts);
      return element;
    };
    const tools = document.createElement("div");
    tools.className = "tools";
    tools.setAttribute("role", "group");
    tools.setAttribute("aria-label", this.text("tools"));
    tools.append(
      group(this.button("pen", () => this.take("pen")), this.button("eraser", () => this.take("eraser"))),
      this.buildWidth(),
      group(
        this.button("undo", () => this.go(-1)),
        this.button("redo", () => this.go(1)),
        this.button("clear", () => this.clear()),
        this.button("ghost", () => this.showGhost(!this.ghostIsOn)),
      ),
      this.button("save", () => this.save()),
    );
    this.status = document.createElement("p");
    this.status.className = "status";
    this.status.setAttribute("role", "status");
    this.replaceChildren(this.sheet.element, tools, this.status);
    if (!this.listens) this.addEventListener("keydown", (event) => this.press(event));
    this.listens = true;
    this.showGhost(this.ghostIsOn ?? true);
    this.buttons.ghost.hidden = !this.getAttribute("ghost");
    this.sheet.resizing.observe(this.sheet.element);
    this.take("pen");
    this.update();
    if (focused) this.sheet.element.focus({ preventScroll: true });
  }

  button(name, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = name;
    if (ICONS[name]) {
      button.append(icon(name));
      button.setAttribute("aria-label", this.text(name));
      button.title = this.text(name);
    } else button.textContent = this.text(name);
    button.addEventListener("click", act);
    this.buttons[name] = button;
    return button;
  }

  buildWidth() {
    const label = document.createElement("label");
    label.className = "width";
    label.title = this.text("width");
    this.slider = document.createElement("input");
    Object.assign(this.slider, { type: "range", min: 0, max: SLIDER_STEPS, step: 1 });
    this.slider.setAttribute("aria-label", this.text("width"));
    this.slider.addEventListener("input", () => this.setWidth(widthAt(Number(this.slider.value))));
    this.units = document.createElement("output");
    label.append(this.slider, this.units);
    return label;
  }

  // -- tools ------------------------------------------------------------------------------------------
  take(tool) {
    this.tool = tool;
    for (const name of ["pen", "eraser"]) this.buttons[name].setAttribute("aria-pressed", name === tool);
    this.showWidth();
  }

  showWidth() {
    const width = this.widths[this.tool];
    const told = this.text("units", { units: String(Math.round(1000 * width)) });
    this.slider.value = Math.round(stepOf(width));
    this.slider.setAttribute("aria-valuetext", told);
    this.units.textContent = told;
  }

  setWidth(width) {
    this.widths[this.tool] = width;
    this.showWidth();
    this.keep(WIDTHS_KEY, this.widths);
  }

  storedWidths() {
    const stored = this.stored(WIDTHS_KEY) ?? {};
    const allowed = (width) => width >= LIMITS.thin && width <= LIMITS.thick;
    const of = (tool) => (allowed(stored[tool]) ? stored[tool] : FIRST_WIDTHS[tool]);
    return { pen: of("pen"), eraser: of("eraser") };
  }

  showGhost(on) {
    this.ghostIsOn = on;
    this.sheet.ghostCanvas.hidden = !on;
    this.buttons.ghost.setAttribute("aria-pressed", on);
  }

  press(event) {
    if (!this.history || event.altKey) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") this.go(event.shiftKey ? 1 : -1);
      else if (key === "y") this.go(1);
      else return;
    } else if (key === "e") this.take("eraser");
    else if (key === "p") this.take("pen");
    else if (key === "[" || key === "]") {
      const step = Math.round(stepOf(this.widths[this.tool])) + (key === "]" ? 2 : -2);
      this.setWidth(widthAt(Math.min(Math.max(step, 0), SLIDER_STEPS)));
    } else if (key === "enter" && !event.target.closest("button")) this.save();
    else return;
    event.preventDefault();
  }

  // -- history: lists of strokes, of which none is ever changed -------------------------------------------
  pointsLeft() {
    if (!this.history) return 0;
    const points = this.strokes.reduce((sum, stroke) => sum + stroke.points.length, 0);
    const left = this.strokes.length < LIMITS.strokes ? Math.min(LIMITS.strokePoints, LIMITS.points - points) : 0;
    if (left < 2) this.say("full", {}, true);
    return left;
  }

  change(strokes) {
    this.history.splice(this.at + 1, Infinity, strokes);
    this.at += 1;
    this.changed();
  }

  clear() {
    if (!this.strokes.length) return;
    this.sheet.show({ strokes: [] });
    this.change(this.sheet.strokes);
  }

  go(step) {
    if (!this.history?.[this.at + step] || this.sheet.wet) return;
    this.at += step;
    this.sheet.show({ strokes: this.strokes });
    this.changed();
  }

  changed() {
    if (this.unsaved) this.keep(this.draftKey, this.ink);
    else this.forget(this.draftKey);
    this.update();
    this.say(this.unsaved ? "unsaved" : null);
    this.tell("changed", this.ink);
  }

  update() {
    const { undo, redo, clear, save } = this.buttons;
    undo.disabled = !this.history?.[this.at - 1];
    redo.disabled = !this.history?.[this.at + 1];
    clear.disabled = !this.strokes?.length;
    save.disabled = !this.unsaved;
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }

  say(key, words = {}, isFault = false) {
    this.status.textContent = key ? this.text(key, words) : "";
    this.status.classList.toggle("fault", isFault);
  }

  // -- keeping: in this browser until the server has it ----------------------------------------------------
  get draftKey() {
    return `fontgan ink ${this.getAttribute("char") ?? ""} ${this.getAttribute("save") ?? ""}`;
  }

  stored(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch (error) {
      this.status && this.say("notKept", { error: error.message }, true);
      return null;
    }
  }

  draft() {
    const strokes = this.stored(this.draftKey)?.strokes;
    return Array.isArray(strokes) && strokes.every((stroke) => stroke?.points?.length) ? strokes : null;
  }

  keep(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch (error) {
      this.say("notKept", { error: error.message }, true);
    }
  }

  forget(key) {
    try {
      localStorage.removeItem(key);
    } catch (error) {
      this.say("notKept", { error: error.message }, true);
    }
  }

  async save() {
    if (!this.unsaved || this.saving === this.round || this.sheet.wet) return;
    const { round, ink, strokes, draftKey } = this;
    const [url, body] = [this.getAttribute("save"), JSON.stringify(ink)];
    this.say("saving");
    this.saving = round;
    let fault = null;
    try {
      const response = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      if (!response.ok) fault = await reasonOf(response);
    } catch (error) {
      fault = error.message;
    }
    if (this.saving === round) this.saving = null;
    // Newer strokes may have been written by now, or another character be shown.
    if (!fault && JSON.stringify(this.stored(draftKey)) === body) this.forget(draftKey);
    if (round !== this.round) return;
    if (fault) {
      this.say("notSaved", { error: fault }, true);
      return;
    }
    this.kept = strokes;
    this.update();
    this.say(this.unsaved ? "unsaved" : "saved");
    this.tell("saved", ink);
  }
}

customElements.define("ink-canvas", InkCanvas);
