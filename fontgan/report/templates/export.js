"use strict";

const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);
const facts = read("facts");
const size = facts.size;
const places = new Map([...facts.chars].map((char, place) => [char, place]));

// -- words: the browser's language, where there is one ------------------------------------------
const strings = read("strings");
function language() {
  for (const wanted of navigator.languages || [navigator.language || "en"]) {
    const tag = wanted.toLowerCase();
    if (/^zh/.test(tag)) return /hant|-tw|-hk|-mo/.test(tag) ? "zh-Hant" : "zh-Hans";
    const known = Object.keys(strings).find((name) => name === tag.split("-")[0]);
    if (known) return known;
  }
  return "en";
}
document.documentElement.lang = language();
const words = strings[language()];
const say = (key, given = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => given[name]);
for (const element of document.querySelectorAll("[data-t]")) element.textContent = words[element.dataset.t];
for (const element of document.querySelectorAll("[data-l]")) element.setAttribute("aria-label", words[element.dataset.l]);

// -- what lies beside the page: scripts that hand over bytes --------------------------------------
const handed = new Map();
function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const read = atob(text);
  const bytes = new Uint8Array(read.length);
  for (let place = 0; place < read.length; place += 1) bytes[place] = read.charCodeAt(place);
  return bytes;
}
window.fontganTakes = (name, packed, texts) =>
  handed.set(name, Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, bytesOf(text)])));

const scripts = new Map();
function load(name) {
  if (!scripts.has(name)) {
    scripts.set(name, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `data/${name}.js`;
      script.onload = () => { resolve(handed.get(name)); handed.delete(name); };
      script.onerror = () => reject(new Error(`data/${name}.js`));
      document.head.append(script);
    }));
  }
  return scripts.get(name);
}

// -- the network, in a worker ---------------------------------------------------------------------
class Network {
  constructor() {
    this.waiting = new Map();
    this.next = 0;
    const code = new Blob([read("worker")], { type: "text/javascript" });
    this.worker = new Worker(URL.createObjectURL(code));
    this.worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.failed) reject(new Error(data.failed));
      else resolve(data);
    };
    this.worker.onerror = (event) => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message || "worker"));
      this.waiting.clear();
    };
  }

  ask(task, given, moved = []) {
    return new Promise((resolve, reject) => {
      const id = this.next++;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, task, ...given }, moved);
    });
  }

  stop() { this.worker.terminate(); }
}

// A GPU that is only imitated is far slower than WebAssembly.
async function hasGpu() {
  try {
    const adapter = navigator.gpu && (await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }));
    return Boolean(adapter) && !(adapter.isFallbackAdapter || (adapter.info && adapter.info.isFallbackAdapter));
  } catch {
    return false;
  }
}

async function startOn(engine) {
  const network = new Network();
  try {
    const [runtime, { model }] = await Promise.all([load(engine), load("model")]);
    await network.ask("start", { engine, ...runtime, model }); // copies: another engine may need the model after this one
    network.engine = engine;
    return network;
  } catch (error) {
    network.stop();
    throw error;
  }
}

// index.html#wasm and index.html#webgpu ask for one of the two, to find out which is at fault.
async function startNetwork() {
  const asked = location.hash.slice(1);
  if (asked === "wasm" || asked === "webgpu") return startOn(asked);
  if (await hasGpu()) {
    try {
      return await startOn("webgpu");
    } catch (error) {
      console.warn(`WebGPU: ${error.message}`);
    }
  }
  return startOn("wasm");
}

// -- what the network sees: source and guides, as FreeType would draw them ----------------------------
const FINER = 4; // so large that a browser draws outlines, not hinted pictures of them, and averaging gives exact coverage
const fine = document.createElement("canvas");
fine.width = fine.height = size * FINER;
const brush = fine.getContext("2d", { willReadFrequently: true });

// A system without Han characters draws the same box for all of them.
function asBox(char) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 32 });
  const pen = canvas.getContext("2d");
  pen.font = "24px system-ui";
  pen.fillText(char, 2, 26);
  return canvas.toDataURL();
}

const opened = new Map();
function openFont(number) {
  if (!opened.has(number)) {
    opened.set(number, load(`font-${number}`).then(async ({ font }) => {
      const face = new FontFace(`page-${number}`, font);
      await face.load();
      document.fonts.add(face);
    }));
  }
  return opened.get(number);
}

const compose = ([s, x, y], [S, X, Y]) => [S * s, S * x + X, S * y + Y]; // first the one, then the other

function drawSource(font, char, frame, into) {
  const { baseline, frame: own } = facts.fonts[font];
  const [scale, dx, dy] = compose(own, frame);
  brush.setTransform(1, 0, 0, 1, 0, 0);
  brush.fillStyle = "#fff";
  brush.fillRect(0, 0, fine.width, fine.height);
  brush.fillStyle = "#000";
  brush.textBaseline = "alphabetic";
  brush.textAlign = "left";
  if ("fontKerning" in brush) brush.fontKerning = "none";
  if ("textRendering" in brush) brush.textRendering = "geometricPrecision";
  brush.font = `${scale * FINER}px page-${font}`;
  brush.fillText(char, dx * FINER, (dy + scale * baseline) * FINER);
  const { data } = brush.getImageData(0, 0, fine.width, fine.height);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      let sum = 0;
      for (let row = 0; row < FINER; row += 1) {
        let at = 4 * ((y * FINER + row) * fine.width + x * FINER);
        for (let column = 0; column < FINER; column += 1, at += 4) sum += data[at];
      }
      into[y * size + x] = Math.round(sum / (FINER * FINER));
    }
  }
}

// The font of each input, as far as it has the character: the source first.
function fontsOf(place, { group }) {
  const sources = [facts.source.fonts[parseInt(facts.source.of[place], 36)]];
  const guides = facts.guides.map(({ fonts, of }) => (of[group][place] === "-" ? null : fonts[parseInt(of[group][place], 36)]));
  return [...sources, ...guides];
}

async function inputsOf(char, placement) {
  const fonts = fontsOf(places.get(char), placement);
  await Promise.all(fonts.filter((font) => font !== null).map(openFont));
  const glyphs = new Uint8Array(fonts.length * size * size).fill(255);
  fonts.forEach((font, number) => {
    const plane = glyphs.subarray(number * size * size, (number + 1) * size * size);
    if (font !== null) drawSource(font, char, placement.inputs[number], plane);
  });
  return { glyphs, planes: fonts.length };
}

// -- styles: names with weights; a mixture lies where its members do on average --------------------------
let mix = [{ style: facts.first, share: 100 }];

function placementOf(shares) {
  const mean = (frames) => [0, 1, 2].map((part) => frames.reduce((sum, [frame, share]) => sum + share * frame[part], 0));
  const members = shares.map(([number, share]) => [facts.styles[number], share]);
  const foremost = members.reduce((best, one) => (one[1] > best[1] ? one : best));
  return {
    canvas: mean(members.map(([style, share]) => [style.canvas, share])),
    inputs: facts.styles[0].inputs.map((_, input) => mean(members.map(([style, share]) => [style.inputs[input], share]))),
    group: foremost[0].group,
  };
}

function currentStyle() {
  const total = mix.reduce((sum, { share }) => sum + share, 0);
  const known = facts.styles.map(({ name }) => name);
  const summed = new Map();
  for (const { style, share } of mix) {
    const number = known.indexOf(style);
    const part = total ? share / total : 1 / mix.length;
    if (part) summed.set(number, (summed.get(number) || 0) + part);
  }
  const shares = [...summed];
  const weights = new Float32Array(known.length);
  for (const [number, share] of shares) weights[number] = share;
  const name = shares.map(([number, share]) => (shares.length > 1 ? `${Math.round(100 * share)} % ` : "") + known[number]).join(" + ");
  return { key: shares.map((one) => one.join(":")).join(), name, weights, placement: placementOf(shares) };
}

// -- outlines: along half ink, smooth but for corners -----------------------------------------------------
function contoursOf(pixels) {
  const ink = (x, y) => (x < 0 || y < 0 || x >= size || y >= size ? 0 : 255 - pixels[y * size + x]);
  const half = 127.5;
  const next = new Map(); // edge between two pixels -> where the contour goes on; ink lies on its right
  const key = (x, y, upright) => 2 * ((y + 2) * (size + 4) + x + 2) + (upright ? 1 : 0);
  const cross = (a, b) => (half - a) / (b - a);
  const points = new Map();
  for (let y = -1; y < size; y += 1) {
    for (let x = -1; x < size; x += 1) {
      const [a, b, c, d] = [ink(x, y), ink(x + 1, y), ink(x + 1, y + 1), ink(x, y + 1)];
      const kind = (a > half ? 1 : 0) | (b > half ? 2 : 0) | (c > half ? 4 : 0) | (d > half ? 8 : 0);
      if (kind === 0 || kind === 15) continue;
      const top = key(x, y, false), left = key(x, y, true), right = key(x + 1, y, true), bottom = key(x, y + 1, false);
      if ((a > half) !== (b > half)) points.set(top, [x + cross(a, b), y]);
      if ((a > half) !== (d > half)) points.set(left, [x, y + cross(a, d)]);
      if ((b > half) !== (c > half)) points.set(right, [x + 1, y + cross(b, c)]);
      if ((d > half) !== (c > half)) points.set(bottom, [x + cross(d, c), y + 1]);
      const join = (from, to) => next.set(from, to);
      const joined = a + b + c + d > 4 * half; // of two corners of ink that touch
      if (kind === 1) join(top, left);
      else if (kind === 2) join(right, top);
      else if (kind === 4) join(bottom, right);
      else if (kind === 8) join(left, bottom);
      else if (kind === 3) join(right, left);
      else if (kind === 6) join(bottom, top);
      else if (kind === 12) join(left, right);
      else if (kind === 9) join(top, bottom);
      else if (kind === 14) join(left, top);
      else if (kind === 13) join(top, right);
      else if (kind === 11) join(right, bottom);
      else if (kind === 7) join(bottom, left);
      else if (kind === 5) joined ? (join(top, right), join(bottom, left)) : (join(top, left), join(bottom, right));
      else joined ? (join(left, top), join(right, bottom)) : (join(right, top), join(left, bottom));
    }
  }
  const found = [];
  while (next.size) {
    const [start] = next.keys();
    const contour = [];
    for (let at = start; next.has(at); ) {
      contour.push(points.get(at));
      const to = next.get(at);
      next.delete(at);
      at = to;
    }
    found.push(contour);
  }
  return found.filter((contour) => Math.abs(areaOf(contour)) > 1.5).map((contour) => contour.map(([x, y]) => [x + 0.5, y + 0.5]));
}

const areaOf = (points) => points.reduce((sum, [x, y], at) => {
  const [X, Y] = points[(at + 1) % points.length];
  return sum + (x * Y - X * y) / 2;
}, 0);

function resampled(points, step) {
  const ends = [...points, points[0]];
  const lengths = ends.slice(1).map(([x, y], at) => Math.hypot(x - ends[at][0], y - ends[at][1]));
  const whole = lengths.reduce((sum, one) => sum + one, 0);
  const count = Math.max(8, Math.round(whole / step));
  const result = [];
  let at = 0, before = 0;
  for (let place = 0; place < count; place += 1) {
    const along = (place * whole) / count;
    while (at < lengths.length - 1 && before + lengths[at] < along) before += lengths[at++];
    const part = lengths[at] ? (along - before) / lengths[at] : 0;
    const [x, y] = ends[at], [X, Y] = ends[at + 1];
    result.push([x + part * (X - x), y + part * (Y - y)]);
  }
  return result;
}

const REACH = 3; // samples of half a pixel on either side of a corner
const TURN = 0.7; // radians that make one
const ERROR = 0.24; // pixels by which a curve may leave its samples

function cornersOf(points) {
  const count = points.length;
  const at = (place) => points[(place + count) % count];
  const turns = points.map((_, place) => {
    const [x, y] = at(place), [bx, by] = at(place - REACH), [ax, ay] = at(place + REACH);
    const turn = Math.atan2(ay - y, ax - x) - Math.atan2(y - by, x - bx);
    return Math.abs(Math.atan2(Math.sin(turn), Math.cos(turn)));
  });
  const corners = [];
  turns.forEach((turn, place) => {
    if (turn < TURN) return;
    for (let off = -REACH; off <= REACH; off += 1) {
      const other = turns[(place + off + count) % count];
      if (other > turn || (other === turn && off < 0)) return;
    }
    corners.push(place);
  });
  return corners;
}

function outlineOf(pixels) {
  return contoursOf(pixels).map((contour) => {
    const sampled = resampled(contour, 0.5);
    const count = sampled.length;
    let corners = cornersOf(sampled);
    const sharp = new Set(corners);
    const smooth = sampled.map(([x, y], place) => {
      if (sharp.has(place)) return [x, y];
      const [bx, by] = sampled[(place + count - 1) % count], [ax, ay] = sampled[(place + 1) % count];
      return [(bx + 2 * x + ax) / 4, (by + 2 * y + ay) / 4];
    });
    if (!corners.length) corners = [0, Math.floor(count / 2)];
    else if (corners.length === 1) corners = [corners[0], (corners[0] + Math.floor(count / 2)) % count].sort((a, b) => a - b);
    const curves = [];
    corners.forEach((from, number) => {
      const to = corners[(number + 1) % corners.length] + (number + 1 === corners.length ? count : 0);
      const part = [];
      for (let place = from; place <= to; place += 1) part.push(smooth[place % count]);
      const fitted = part.length > 2 ? fitCurve(part, ERROR * ERROR) : [];
      if (fitted.length) curves.push(...fitted);
      else curves.push([part[0], part[0], part[part.length - 1], part[part.length - 1]]);
    });
    return curves;
  });
}

// Canvas pixels -> em of the style, y down from the top of the em square.
function toEm(outline, [scale, dx, dy]) {
  return outline.map((curves) => curves.map((curve) => curve.map(([x, y]) => [(x - dx) / scale, (y - dy) / scale])));
}

function pathOf(outline, [scale, dx, dy] = [1, 0, 0], digits = 3) {
  const put = ([x, y]) => `${(scale * x + dx).toFixed(digits)} ${(scale * y + dy).toFixed(digits)}`;
  return outline
    .map((curves) => `M${put(curves[0][0])}${curves.map((curve) => `C${curve.slice(1).map(put).join(" ")}`).join("")}Z`)
    .join("");
}

// -- drawing -------------------------------------------------------------------------------------------------
const MOST_KEPT = 4000; // glyphs, of all styles and mixtures that were looked at
const drawn = new Map(); // style and character -> { outline in em, advance and left in em }
const box = byId("text");
const set = byId("set");
const status = byId("status");
let network = null;
let turn = 0;
let layout = []; // of the text as it stands: { char, space, key }

const isWide = (advance) => Math.abs(advance - 1) < 0.02;

async function drawGlyph(char, style) {
  const { glyphs, planes } = await inputsOf(char, style.placement);
  const answer = await network.ask("draw", { glyphs, planes, size, weights: style.weights }, [glyphs.buffer]);
  const { canvas, inputs } = style.placement;
  const advance = facts.advances[places.get(char)];
  // A wide character fills the em of its style; another stands as the source's does, brought there.
  const wide = isWide(advance);
  const ratio = inputs[0][0] / canvas[0];
  const left = wide ? 0 : (inputs[0][1] - canvas[1]) / canvas[0];
  return { outline: toEm(outlineOf(answer.drawn), canvas), advance: wide ? 1 : advance * ratio, left, took: answer.took, pixels: answer.drawn };
}

const NS = "http://www.w3.org/2000/svg";
function show(element, glyph) {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", `0 -0.125 1 1.25`);
  svg.style.width = "var(--em)";
  svg.style.height = "calc(1.25 * var(--em))";
  svg.style.left = `calc(${-glyph.left} * var(--em))`;
  const path = document.createElementNS(NS, "path");
  path.setAttribute("d", pathOf(glyph.outline, [1, 0, 0], 4));
  svg.append(path);
  element.replaceChildren(svg);
  element.style.width = `calc(${glyph.advance} * var(--em))`;
  element.className = "glyph";
}

function arrange(style) {
  const old = [...set.children];
  layout = [...box.value].map((char) => ({ char, key: `${style.key}|${char}`, known: places.has(char) }));
  const elements = layout.map(({ char, known, key }, number) => {
    const element = document.createElement("span");
    element.className = char === "\n" ? "break" : "glyph";
    if (char === "\n") return element;
    const space = /\s/.test(char);
    element.style.width = `calc(${space ? (char === "\u3000" ? 1 : 0.3) : 1} * var(--em))`;
    if (drawn.has(key)) show(element, drawn.get(key));
    else if (known) {
      const before = old[number] && old[number].dataset.char === char ? old[number] : null;
      if (before && before.firstChild) {
        element.append(before.firstChild);
        element.style.width = before.style.width;
        element.className = "glyph old";
      } else element.className = "glyph waits";
    }
    element.dataset.char = char;
    element.hidden = !known && !space;
    return element;
  });
  set.replaceChildren(...elements);
  set.setAttribute("aria-label", say("drawn", { text: box.value, style: style.name }));
  const lacking = [...new Set(layout.filter(({ char, known }) => !known && char.trim()).map(({ char }) => char))];
  byId("lacks").textContent = lacking.length ? say("lacks", { chars: lacking.join(" ") }) : "";
  return elements;
}

async function drawAll() {
  const mine = ++turn;
  const style = currentStyle();
  if (drawn.size > MOST_KEPT) drawn.clear(); // before the text is drawn: downloads take its glyphs from here
  const elements = arrange(style);
  if (!network) return;
  enable(false);
  const wanted = [...new Map(layout.filter(({ known, key }) => known && !drawn.has(key)).map((one) => [one.key, one])).values()];
  let done = 0, took = 0;
  for (const { char, key } of wanted) {
    status.textContent = say("drawing", { done: done + 1, all: wanted.length });
    const glyph = await drawGlyph(char, style);
    drawn.set(key, glyph);
    took += glyph.took;
    done += 1;
    if (!performance.getEntriesByName("first-glyph").length) performance.mark("first-glyph");
    if (mine !== turn) return; // the text or style has changed since
    layout.forEach((one, number) => { if (one.key === key) show(elements[number], glyph); });
  }
  if (done || !status.dataset.ready) {
    status.dataset.ready = "yes";
    status.dataset.ms = done ? took / done : 0;
  }
  const engine = { webgpu: "WebGPU", wasm: "WebAssembly" }[network.engine];
  status.textContent = say("ready", { engine, ms: Math.round(Number(status.dataset.ms)) });
  enable(layout.some(({ known }) => known));
}

function enable(on) {
  for (const id of ["png", "svg", "font"]) byId(id).disabled = !on;
}

let soon = 0;
function drawSoon() {
  clearTimeout(soon);
  soon = setTimeout(() => drawAll().catch(fail), 60);
}

function fail(error) {
  status.className = "warn";
  status.textContent = say("failed", { why: error.message });
}

// -- styles chosen: one row each ---------------------------------------------------------------------------
function options(select, chosen) {
  select.replaceChildren(...facts.styles.map(({ name }) => new Option(name, name, false, name === chosen)));
}

function showMix() {
  byId("mix").replaceChildren(...mix.map((member) => {
    const row = document.createElement("div");
    row.className = mix.length < 2 ? "share alone" : "share";
    const select = document.createElement("select");
    options(select, member.style);
    select.setAttribute("aria-label", words.style);
    const range = Object.assign(document.createElement("input"), { type: "range", min: 0, max: 100, value: member.share });
    range.setAttribute("aria-label", say("weight", { style: member.style }));
    const output = document.createElement("output");
    const remove = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
    remove.setAttribute("aria-label", say("remove", { style: member.style }));
    row.append(select, range, output, remove);
    select.addEventListener("change", () => { member.style = select.value; showMix(); drawSoon(); });
    range.addEventListener("input", () => { member.share = Number(range.value); showShares(); drawSoon(); });
    remove.addEventListener("click", () => { mix = mix.filter((one) => one !== member); showMix(); drawSoon(); });
    return row;
  }));
  showShares();
  const more = byId("more");
  options(more, "");
  more.prepend(new Option(words.choose, "", true, true));
}

function showShares() {
  const total = mix.reduce((sum, { share }) => sum + share, 0);
  byId("mix").querySelectorAll("output").forEach((output, number) => {
    output.textContent = `${Math.round(total ? (100 * mix[number].share) / total : 100 / mix.length)} %`;
  });
}

byId("more").addEventListener("change", (event) => {
  if (!event.target.value) return;
  mix.push({ style: event.target.value, share: mix.length === 1 ? mix[0].share || 100 : 50 });
  showMix();
  drawSoon();
});
box.addEventListener("input", drawSoon);
byId("size").addEventListener("input", (event) => set.style.setProperty("--em", `${event.target.value}px`));
byId("controls").addEventListener("submit", (event) => event.preventDefault());

// -- downloads -----------------------------------------------------------------------------------------------
function save(name, kind, content) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([content], { type: kind })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

const safe = (text) => text.replace(/[^\p{L}\p{N}-]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "text";

// The text as lines of glyphs in em, each with its pen.
function lines() {
  const made = [];
  let line = { pen: 0, glyphs: [] };
  for (const { char, key, known } of layout) {
    if (char === "\n") { made.push(line); line = { pen: 0, glyphs: [] }; continue; }
    if (!known) { if (/\s/.test(char)) line.pen += char === "\u3000" ? 1 : 0.3; continue; }
    const glyph = drawn.get(key);
    line.glyphs.push({ glyph, x: line.pen - glyph.left });
    line.pen += glyph.advance;
  }
  made.push(line);
  return made;
}

function svgText() {
  const em = 1000, margin = 125;
  const made = lines();
  const width = Math.max(...made.map(({ pen }) => pen)) * em + 2 * margin;
  const height = made.length * em * 1.25 + 2 * margin;
  const paths = made.flatMap(({ glyphs }, number) => glyphs.map(({ glyph, x }) =>
    `<path d="${pathOf(glyph.outline, [em, margin + x * em, margin + (0.125 + 1.25 * number) * em], 1)}"/>`));
  const title = document.createElement("p");
  title.textContent = `${box.value} – ${currentStyle().name}`;
  return { width, height, text: `<svg xmlns="${NS}" viewBox="0 0 ${width.toFixed(1)} ${height.toFixed(1)}"><title>${title.innerHTML}</title>\n${paths.join("\n")}\n</svg>\n` };
}

byId("svg").addEventListener("click", () => save(`${safe(box.value)}.svg`, "image/svg+xml", svgText().text));

byId("png").addEventListener("click", () => {
  const { width, height } = svgText();
  const scale = Math.min(0.4, 8000 / width, 8000 / height);
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(width * scale), height: Math.round(height * scale) });
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#000";
  lines().forEach(({ glyphs }, number) => {
    for (const { glyph, x } of glyphs) {
      pen.setTransform(1000 * scale, 0, 0, 1000 * scale, (125 + x * 1000) * scale, (125 + (0.125 + 1.25 * number) * 1000) * scale);
      pen.fill(new Path2D(pathOf(glyph.outline, [1, 0, 0], 5)));
    }
  });
  canvas.toBlob((blob) => save(`${safe(box.value)}.png`, "image/png", blob), "image/png");
});

const BASELINE = 0.88; // of the em from its top
byId("font").addEventListener("click", async () => {
  await load("opentype");
  const style = currentStyle();
  const units = ([x, y], left) => [Math.round((x - left) * 1000), Math.round((BASELINE - y) * 1000)];
  const glyphOf = (name, unicode, advanceWidth, outline, left) => {
    const path = new opentype.Path();
    for (const curves of outline) {
      path.moveTo(...units(curves[0][0], left));
      for (const [, b, c, d] of curves) path.curveTo(...units(b, left), ...units(c, left), ...units(d, left));
      path.close();
    }
    return new opentype.Glyph({ name, unicode, advanceWidth, path });
  };
  const frame = [[[0.1, 0.18], [0.9, 0.18], [0.9, 0.88], [0.1, 0.88]]].map((corners) =>
    corners.map((from, number) => { const to = corners[(number + 1) % 4]; return [from, from, to, to]; }));
  const chars = new Map(layout.filter(({ known }) => known).map(({ char, key }) => [char, drawn.get(key)]));
  const glyphs = [glyphOf(".notdef", undefined, 1000, frame, 0), glyphOf("space", 32, 300, [], 0)];
  if (![...chars.keys()].includes("\u3000")) glyphs.push(glyphOf("uni3000", 0x3000, 1000, [], 0));
  for (const [char, { outline, advance, left }] of [...chars].sort(([a], [b]) => a.codePointAt(0) - b.codePointAt(0))) {
    const code = char.codePointAt(0);
    const name = code > 0xffff ? `u${code.toString(16).toUpperCase()}` : `uni${code.toString(16).toUpperCase().padStart(4, "0")}`;
    glyphs.push(glyphOf(name, code, Math.round(advance * 1000), outline, left));
  }
  const note = say("note", { style: style.name, title: facts.title });
  const font = new opentype.Font({
    familyName: "Drawn by fontgan", styleName: "Regular", unitsPerEm: 1000, ascender: 880, descender: -120, glyphs,
    copyright: note, description: note, license: note, version: "Version 1.000", fsSelection: 64,
  });
  save(`${safe(box.value)}.otf`, "font/otf", font.toArrayBuffer());
});

// -- start -----------------------------------------------------------------------------------------------------
box.value = facts.text;
showMix();
arrange(currentStyle());
const first = currentStyle();
const soonest = [...box.value].filter((char) => places.has(char)).slice(0, 1);
Promise.all([startNetwork(), load("fit-curve"), ...soonest.map((char) => inputsOf(char, first.placement))])
  .then(([started]) => {
    network = started;
    document.body.classList.add("here");
    if (asBox("永") === asBox("宛")) document.body.classList.add("boxes");
    return drawAll();
  })
  .catch(fail);
