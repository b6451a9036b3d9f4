// The sheet that is written on: its guides, the ghost, the ink, and the pen that moves over it.
"use strict";

import { CANVAS_EMS, LIMITS, Path, ROOM, boxOf, fillPath, pathOf } from "./ink_shape.js";

const CLOSEST = 0.004; // em: of points nearer than this, with hardly another pressure, one is enough
const PRESSURE_STEP = 0.02;
const PALM_MS = 2500; // so long after the pen was seen a touch is the hand that holds it
const MAX_PX = 2048;
const ERASER_BUTTON = 32; // of a pen turned around

const round = (value, digits) => Number(value.toFixed(digits));
const within = (value, low, high) => Math.min(Math.max(value, low), high);

function guides() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `${-ROOM} ${-ROOM} ${CANVAS_EMS} ${CANVAS_EMS}`);
  svg.setAttribute("class", "guides");
  svg.setAttribute("aria-hidden", "true");
  const add = (name, kind, numbers) => {
    const part = svg.appendChild(document.createElementNS(svg.namespaceURI, name));
    part.setAttribute("class", kind);
    for (const [key, value] of Object.entries(numbers)) part.setAttribute(key, value);
  };
  add("rect", "em", { x: 0, y: 0, width: 1, height: 1 });
  for (const [kind, at] of [["third", 1 / 3], ["third", 2 / 3], ["centre", 0.5]]) {
    add("line", kind, { x1: at, x2: at, y1: 0, y2: 1 });
    add("line", kind, { x1: 0, x2: 1, y1: at, y2: at });
  }
  return svg;
}

// A glyph image, dark on light, as colour that is opaque where the image is dark.
function asInk(image, colour) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    const grey = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    data.set([...colour, 255 - Math.round(grey)], i);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

export async function fetchGlyph(url, colour) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return asInk(image, colour);
}

export class Sheet {
  // tool(turned) gives { width, erase }; room() how many points a stroke may have now; onStroke(strokes) is called when
  // one is finished, with all.
  constructor({ tool, room, onStroke }) {
    Object.assign(this, { tool, room, onStroke });
    this.strokes = [];
    this.base = this.ghost = this.wet = null;
    this.penSeen = -Infinity;
    this.element = document.createElement("div");
    this.element.className = "sheet";
    this.element.tabIndex = 0;
    this.ghostCanvas = this.layer("ghost");
    this.inkCanvas = this.layer("ink");
    this.settled = document.createElement("canvas"); // the ink of all finished strokes
    this.ring = document.createElement("div");
    this.ring.className = "ring";
    this.ring.hidden = true;
    this.element.prepend(guides());
    this.element.append(this.ring);
    this.listen();
    this.resizing = new ResizeObserver(() => this.resize());
  }

  layer(name) {
    const canvas = this.element.appendChild(document.createElement("canvas"));
    canvas.className = name;
    return canvas;
  }

  // -- drawing ------------------------------------------------------------------------------------
  resize() {
    const css = this.element.clientWidth;
    const px = Math.min(Math.round(css * devicePixelRatio), MAX_PX);
    if (!px || (px === this.inkCanvas.width && css === this.css)) return;
    this.css = css;
    for (const canvas of [this.ghostCanvas, this.inkCanvas, this.settled]) canvas.width = canvas.height = px;
    this.drawGhost();
    this.drawAll();
  }

  show({ strokes = this.strokes, base = this.base, ghost = this.ghost }) {
    const ghostIsNew = ghost !== this.ghost;
    Object.assign(this, { strokes, base, ghost });
    if (ghostIsNew) this.drawGhost();
    this.drawAll();
  }

  drawGhost() {
    this.paintImage(this.ghostCanvas, this.ghost);
  }

  paintImage(canvas, image) {
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    if (image && canvas.width) context.drawImage(image, 0, 0, canvas.width, canvas.height);
  }

  // Context of a canvas whose coordinates are em.
  inEm(canvas) {
    const context = canvas.getContext("2d");
    const scale = canvas.width / CANVAS_EMS;
    context.setTransform(scale, 0, 0, scale, ROOM * scale, ROOM * scale);
    return context;
  }

  drawAll() {
    this.paintImage(this.settled, this.base);
    const context = this.inEm(this.settled);
    for (const stroke of this.strokes) fillPath(context, pathOf(stroke).circles, stroke.erase);
    this.drawPart(null);
  }

  // The settled ink and the stroke under way, within a box of the canvas in em; everywhere if it is null.
  drawPart(box) {
    const size = this.inkCanvas.width;
    if (!size) return;
    const px = (em) => ((em + ROOM) * size) / CANVAS_EMS;
    // Whole pixels, and one more: what is drawn in parts looks as if it were drawn at once.
    const [x0, y0] = box ? [box.x0, box.y0].map((em) => within(Math.floor(px(em)) - 1, 0, size)) : [0, 0];
    const [x1, y1] = box ? [box.x1, box.y1].map((em) => within(Math.ceil(px(em)) + 1, 0, size)) : [size, size];
    if (x1 <= x0 || y1 <= y0) return;
    const context = this.inkCanvas.getContext("2d");
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.beginPath();
    context.rect(x0, y0, x1 - x0, y1 - y0);
    context.clip();
    context.clearRect(x0, y0, x1 - x0, y1 - y0);
    context.drawImage(this.settled, x0, y0, x1 - x0, y1 - y0, x0, y0, x1 - x0, y1 - y0);
    this.inEm(this.inkCanvas);
    if (this.wet) fillPath(context, this.wet.path.circles, this.wet.stroke.erase, box);
    context.restore();
  }

  // -- the stroke under way -------------------------------------------------------------------------
  listen() {
    const on = (name, act) => this.element.addEventListener(name, act);
    on("pointerdown", (event) => this.begin(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.end(event));
    on("pointercancel", (event) => this.wet?.pointer === event.pointerId && this.drop());
    on("blur", () => this.element.classList.remove("written"));
    on("pointerleave", () => this.moveRing(null));
    on("contextmenu", (event) => event.preventDefault()); // which a pen that is held still would open
  }

  isPalm(event) {
    if (event.pointerType === "pen") this.penSeen = event.timeStamp;
    return event.pointerType === "touch" && (this.wet?.pen || event.timeStamp - this.penSeen < PALM_MS);
  }

  begin(event) {
    if (this.isPalm(event)) return;
    const pen = event.pointerType === "pen";
    if (this.wet && pen && !this.wet.pen) this.drop(); // it was the palm, which came before the pen
    const turned = Boolean(event.buttons & ERASER_BUTTON);
    if (this.wet || (event.button !== 0 && !turned)) return;
    event.preventDefault();
    const room = this.room();
    if (room < 2) return;
    this.element.focus({ preventScroll: true });
    this.element.classList.add("written"); // a frame around it is for those who come by the keyboard
    this.element.setPointerCapture(event.pointerId);
    const { width, erase } = this.tool(turned);
    this.start(event.pointerId, pen, room, { points: [], width, erase });
    this.add(this.pointOf(event));
    this.moveRing(event);
  }

  start(pointer, pen, room, stroke) {
    this.wet = { pointer, pen, room, stroke, path: new Path(stroke.width) };
  }

  move(event) {
    if (this.isPalm(event)) return;
    this.moveRing(event);
    if (this.wet?.pointer !== event.pointerId) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) if (this.wet) this.follow(this.pointOf(each));
  }

  end(event) {
    if (this.wet?.pointer !== event.pointerId) return;
    const last = this.wet.stroke.points.at(-1);
    const [x, y] = this.pointOf(event);
    // A pen that is lifted presses no more; it ends with the pressure it had.
    if (x !== last[0] || y !== last[1]) this.add([x, y, last[2]]);
    this.finish();
    this.moveRing(event);
  }

  pointOf(event) {
    const box = this.inkCanvas.getBoundingClientRect();
    const em = (at, side) => round(within((at / side) * CANVAS_EMS - ROOM, LIMITS.low, LIMITS.high), 5);
    const pressure = event.pointerType === "pen" ? round(within(event.pressure, 0, 1), 3) : 0.5;
    return [em(event.clientX - box.left, box.width), em(event.clientY - box.top, box.height), pressure];
  }

  follow(point) {
    const { pointer, pen, room, stroke } = this.wet;
    const last = stroke.points.at(-1);
    const near = Math.hypot(point[0] - last[0], point[1] - last[1]) < CLOSEST;
    if (near && Math.abs(point[2] - last[2]) < PRESSURE_STEP) return;
    this.add(point);
    if (stroke.points.length < room - 1) return; // one is left for the end
    this.finish();
    const more = this.room();
    if (more < 2) return;
    this.start(pointer, pen, more, { ...stroke, points: [] });
    this.add(point);
  }

  add(point) {
    const { stroke, path } = this.wet;
    const before = Math.max(path.circles.length - 2, 0); // the last circle changes, and the hull that leads to it
    const old = boxOf(path.circles, before);
    stroke.points.push(point);
    path.add(point);
    const now = boxOf(path.circles, before);
    this.drawPart({
      x0: Math.min(old.x0, now.x0),
      y0: Math.min(old.y0, now.y0),
      x1: Math.max(old.x1, now.x1),
      y1: Math.max(old.y1, now.y1),
    });
  }

  finish() {
    const { stroke, path } = this.wet;
    this.wet = null;
    fillPath(this.inEm(this.settled), path.circles, stroke.erase);
    this.drawPart(boxOf(path.circles));
    this.strokes = [...this.strokes, stroke];
    this.onStroke(this.strokes);
  }

  // Forgets the stroke under way.
  drop() {
    this.wet = null;
    this.drawPart(null);
  }

  // A ring as wide as the line: where the pen hovers, and what the eraser takes.
  moveRing(event) {
    const { width, erase } = this.tool(Boolean(event && event.buttons & ERASER_BUTTON));
    this.ring.hidden = !event || event.pointerType === "touch" || Boolean(this.wet && !erase);
    if (this.ring.hidden) return;
    const box = this.element.getBoundingClientRect();
    const side = `${Math.max((width / CANVAS_EMS) * box.width, 3)}px`;
    Object.assign(this.ring.style, {
      width: side,
      height: side,
      left: `${event.clientX - box.left}px`,
      top: `${event.clientY - box.top}px`,
    });
  }
}
