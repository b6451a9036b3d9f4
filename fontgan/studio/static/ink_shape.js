// The shape of pen strokes, by the rules of fontgan/handwriting/ink.py: what is seen is what a glyph is made of.
"use strict";

export const ROOM = 0.08; // em around the em square
export const CANVAS_EMS = 1 + 2 * ROOM;
export const FORMAT = 1;
export const LIMITS = { strokes: 256, strokePoints: 4096, points: 8192, low: -0.25, high: 1.25, thin: 0.005, thick: 0.5 };

const TOLERANCE = 1 / 4096; // em
const MAX_STEPS = 8;

// -- the path: circles along the quadratic B-spline of the points -----------------------------------
function circleOf([x, y, pressure], width) {
  return { x, y, r: (width * (0.25 + 1.5 * pressure)) / 2 };
}

function middle(a, b) {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, r: (a.r + b.r) / 2 };
}

// From the middle of the leg a b, which is not given, to that of b c.
function* around(a, b, c) {
  const [start, end] = [middle(a, b), middle(b, c)];
  const bend = Math.hypot(...["x", "y", "r"].map((axis) => start[axis] - 2 * b[axis] + end[axis]));
  const steps = Math.min(Math.max(Math.ceil(Math.sqrt(bend / (4 * TOLERANCE))), 1), MAX_STEPS);
  for (let step = 1; step <= steps; step += 1) {
    const t = step / steps;
    const at = (axis) => (1 - t) ** 2 * start[axis] + 2 * t * (1 - t) * b[axis] + t ** 2 * end[axis];
    yield { x: at("x"), y: at("y"), r: at("r") };
  }
}

// A stroke as circles, which grows by a point at a time: none but the last circle changes then.
export class Path {
  constructor(width) {
    this.width = width;
    this.corners = [];
    this.circles = [];
  }

  add(point) {
    const next = circleOf(point, this.width);
    this.corners.push(next);
    if (this.corners.length === 1) {
      this.circles.push(next);
      return;
    }
    const [a, b] = this.corners.slice(-3);
    if (this.corners.length === 2) this.circles.push(middle(a, b));
    else this.circles.splice(-1, 1, ...around(a, b, next));
    this.circles.push(next);
  }
}

export function pathOf(stroke) {
  const path = new Path(stroke.width);
  for (const point of stroke.points) path.add(point);
  return path;
}

// -- the ink: hulls of a circle and the next, all turned the same way so that none takes from another ---
function addHull(shape, a, b) {
  const distance = Math.hypot(b.x - a.x, b.y - a.y);
  if (distance <= Math.abs(a.r - b.r)) {
    const larger = a.r > b.r ? a : b;
    shape.moveTo(larger.x + larger.r, larger.y);
    shape.arc(larger.x, larger.y, larger.r, 0, 2 * Math.PI);
    return;
  }
  const way = Math.atan2(b.y - a.y, b.x - a.x);
  const lean = Math.acos((a.r - b.r) / distance); // of the lines that touch both circles
  shape.moveTo(a.x + a.r * Math.cos(way + lean), a.y + a.r * Math.sin(way + lean));
  shape.arc(a.x, a.y, a.r, way + lean, way - lean + 2 * Math.PI);
  shape.arc(b.x, b.y, b.r, way - lean, way + lean);
  shape.closePath();
}

// The box, in em, of the circles from the given one on.
export function boxOf(circles, from = 0) {
  const box = { x0: Infinity, y0: Infinity, x1: -Infinity, y1: -Infinity };
  for (const { x, y, r } of circles.slice(from)) {
    box.x0 = Math.min(box.x0, x - r);
    box.y0 = Math.min(box.y0, y - r);
    box.x1 = Math.max(box.x1, x + r);
    box.y1 = Math.max(box.y1, y + r);
  }
  return box;
}

function meets(a, b, box) {
  const overlap = (axis, low, high) =>
    Math.max(a[axis] + a.r, b[axis] + b.r) >= low && Math.min(a[axis] - a.r, b[axis] - b.r) <= high;
  return overlap("x", box.x0, box.x1) && overlap("y", box.y0, box.y1);
}

// Fills what of the circles' ink may be seen in the box; the context's coordinates are em.
export function fillPath(context, circles, erase, box = null) {
  context.beginPath();
  circles.forEach((circle, i) => {
    const before = circles[Math.max(i - 1, 0)];
    if ((i > 0 || circles.length === 1) && (!box || meets(before, circle, box))) addHull(context, before, circle);
  });
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.fillStyle = "#000";
  context.fill("nonzero");
  context.globalCompositeOperation = "source-over";
}
