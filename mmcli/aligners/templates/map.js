"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const SIDES = ["reference", "query"];
const other = (side) => (side === "reference" ? "query" : "reference");
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

// --- the map ---------------------------------------------------------------------------------------------------------
const column = { reference: 0, query: 1 };
const length = { reference: data.reference.duration, query: data.query.duration };
if (length.query === null) length.query = 0;
if (length.reference === null) length.reference = 0;
for (const s of data.segments) for (const side of SIDES) length[side] = Math.max(length[side], s[s.length - 1][column[side]]);

// The time on the other side of `t` on `side`; null where there is no partner.
function partner(side, t) {
  if (data.line) {
    const [offset, rate] = data.line;
    const found = side === "reference" ? (t - offset) / rate : offset + rate * t;
    return found < -1e-6 || found > length[other(side)] + 1e-6 ? null : found;
  }
  const c = column[side];
  for (const s of data.segments) {
    if (t < s[0][c] - 1e-6 || t > s[s.length - 1][c] + 1e-6) continue;
    let low = 0, high = s.length - 1;
    while (high - low > 1) { const mid = (low + high) >> 1; if (s[mid][c] <= t) low = mid; else high = mid; }
    const a = s[low], b = s[high], w = b[c] > a[c] ? clamp((t - a[c]) / (b[c] - a[c]), 0, 1) : 0;
    return a[1 - c] + w * (b[1 - c] - a[1 - c]);
  }
  return null;
}
// How much of the other side passes per second of `side`, over half a second.
function slope(side, t) {
  const at = partner(side, t), before = partner(side, t - 0.25), after = partner(side, t + 0.25);
  if (at === null) return 1;
  const low = before ?? at, high = after ?? at, span = (before === null ? 0 : 0.25) + (after === null ? 0 : 0.25);
  return span && high > low ? (high - low) / span : 1;
}
const onReference = (side, t) => (side === "reference" ? t : partner("query", t));

// --- players ---------------------------------------------------------------------------------------------------------
const players = {};
function trouble(text) { $("trouble").hidden = false; $("trouble").textContent = text; }
for (const side of SIDES) {
  const lane = data[side];
  const player = { side, element: null, settled: 0 };
  players[side] = player;
  if (!lane.media) continue;
  const element = document.createElement(lane.picture ? "video" : "audio");
  element.preload = "auto";
  element.playsInline = true;
  element.id = `player-${side}`;
  element.setAttribute("aria-label", `${side}: ${lane.name}`);
  element.src = lane.media.link ? lane.media.link.split("/").map(encodeURIComponent).join("/") : URL.createObjectURL(new Blob([bytes(lane.media.data)], { type: lane.media.type }));
  delete lane.media.data;
  element.addEventListener("error", () => {
    player.element = null;
    trouble(`This browser cannot play ${lane.name}${lane.media.link ? `, looked for at ${lane.media.link}` : ""}; the clock runs without it.`);
  });
  player.element = element;
  if (lane.picture) {
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    caption.className = side === "reference" ? "a" : "b";
    caption.textContent = lane.name;
    figure.append(element, caption);
    $("screens").append(figure);
    element.addEventListener("click", () => toggle());
  } else document.body.append(element);
}
const sounding = SIDES.filter((s) => players[s].element);
if (sounding.length < 2) document.querySelector(".hear").hidden = true;
if (sounding.length < 2) document.querySelector(".hear").style.display = "none";

// --- one clock leads, the other follows through the map --------------------------------------------------------------
const state = { leads: sounding.length === 1 && data.segments.length ? sounding[0] : "reference", time: 0, playing: false, speed: 1, begun: 0 };
$("leads").value = state.leads;
if (!data.segments.length && !data.line) $("leads").parentElement.style.display = "none";

function now() {
  const player = players[state.leads].element;
  if (!state.playing) return state.time;
  if (player && player.readyState) return player.currentTime;
  return state.time + ((performance.now() - state.begun) / 1000) * state.speed;
}
function follow() {
  const t = now(), player = players[other(state.leads)], element = player.element;
  if (!element) return;
  const target = partner(state.leads, t);
  const away = target === null || target > length[player.side] - 0.02;
  element.closest("figure")?.classList.toggle("away", away);
  if (away) { if (!element.paused) element.pause(); return; }
  if (!state.playing) { if (Math.abs(element.currentTime - target) > 0.002) element.currentTime = target; return; }
  const pace = clamp(slope(state.leads, t) * state.speed, 0.1, 8);
  if (element.paused) {
    element.currentTime = target;
    element.playbackRate = pace;
    start(element);
    player.settled = performance.now() + 150;
    return;
  }
  if (element.seeking || performance.now() < player.settled) return;
  const drift = element.currentTime - target;
  if (Math.abs(drift) > 0.3) {
    element.currentTime = target;
    player.settled = performance.now() + 300;
    return;
  }
  // Up to 8 % faster or slower brings it back unheard; within 10 ms nothing is touched.
  const wanted = Math.abs(drift) < 0.01 ? pace : pace * (1 - clamp(drift * 0.8, -0.08, 0.08));
  if (Math.abs(element.playbackRate - wanted) > 0.002) element.playbackRate = wanted;
}
function start(element) {
  element.play().catch((error) => { if (error.name === "NotAllowedError") { pause(); } });
}
function play() {
  if (state.playing) return;
  if (state.time >= length[state.leads] - 0.02) state.time = 0;
  state.playing = true;
  state.begun = performance.now();
  ears?.resume();
  const element = players[state.leads].element;
  if (element) {
    if (Math.abs(element.currentTime - state.time) > 0.002) element.currentTime = state.time;
    element.playbackRate = state.speed;
    start(element);
  }
  follow();
  shown();
  requestAnimationFrame(frame);
}
function pause() {
  if (!state.playing) return;
  state.time = clamp(now(), 0, length[state.leads]);
  state.playing = false;
  for (const side of SIDES) players[side].element?.pause();
  follow();
  shown();
}
function toggle() { if (state.playing) pause(); else play(); }
function seek(side, t) {
  if (side !== state.leads) {
    const there = partner(side, t);
    if (there === null) lead(side); else { side = state.leads; t = there; }
  }
  state.time = clamp(t, 0, length[side]);
  state.begun = performance.now();
  const element = players[side].element;
  if (element) element.currentTime = state.time;
  const second = players[other(side)];
  if (second.element) {
    const target = partner(side, state.time);
    if (target !== null) { second.element.currentTime = Math.min(target, length[second.side]); second.settled = performance.now() + 200; }
  }
  follow();
  reveal(onReference(side, state.time));
  draw();
}
function lead(side) {
  if (side === state.leads) return;
  const t = clamp(now(), 0, length[state.leads]), playing = state.playing, there = partner(state.leads, t);
  if (playing) pause();
  state.leads = side;
  state.time = there ?? state.time;
  $("leads").value = side;
  if (playing) play();
  draw();
}
setInterval(() => {
  if (!state.playing) return;
  if (now() >= length[state.leads] - 0.005 || players[state.leads].element?.ended) { pause(); return; }
  follow();
}, 50);
document.addEventListener("visibilitychange", () => { if (state.playing) follow(); });

// --- what is heard ---------------------------------------------------------------------------------------------------
let ears = null;
const pans = {};
function hear(what) {
  for (const side of SIDES) {
    const element = players[side].element;
    if (element) element.muted = what !== "both" && what !== side;
  }
  const input = document.querySelector(`input[name="hear"][value="${what}"]`);
  if (input) input.checked = true;
}
for (const input of document.querySelectorAll('input[name="hear"]')) input.addEventListener("change", () => hear(input.value));
if (SIDES.some((s) => data[s].media?.link)) $("ears-label").style.display = "none"; // linked files may not be mixed
$("ears").addEventListener("change", () => {
  if (!ears) {
    ears = new AudioContext();
    for (const side of sounding) {
      pans[side] = ears.createStereoPanner();
      ears.createMediaElementSource(players[side].element).connect(pans[side]).connect(ears.destination);
    }
    ears.resume();
  }
  for (const side of sounding) pans[side].pan.value = $("ears").checked ? (side === "reference" ? -1 : 1) : 0;
});
$("speed").addEventListener("change", () => {
  const playing = state.playing;
  pause();
  state.speed = Number($("speed").value);
  if (playing) play();
});
$("leads").addEventListener("change", () => lead($("leads").value));
$("play").addEventListener("click", toggle);

// --- the lanes -------------------------------------------------------------------------------------------------------
const lastSpoken = data.lines.reduce((t, l) => Math.max(t, l.end ?? 0), 0);
const whole = [0, Math.max(length.reference, lastSpoken, 0.001)];
if (data.line) for (const t of [0, length.query]) {
  const at = data.line[0] + data.line[1] * t;
  whole[0] = Math.min(whole[0], at);
  whole[1] = Math.max(whole[1], at);
}
const view = { low: whole[0], high: whole[1] };
for (const side of SIDES) {
  const lane = data[side];
  if (lane.peaks) lane.peaks.values = bytes(lane.peaks.data);
  if (lane.heat) lane.heat.values = bytes(lane.heat.data);
  if (lane.strip) { lane.strip.image = new Image(); lane.strip.image.onload = () => draw(); lane.strip.image.src = lane.strip.uri; }
}
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
function canvas(id) {
  const element = $(id), ratio = window.devicePixelRatio || 1;
  const width = element.clientWidth, height = element.clientHeight;
  if (element.width !== Math.round(width * ratio) || element.height !== Math.round(height * ratio)) {
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
  }
  const pen = element.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "11px system-ui, sans-serif";
  return [pen, width, height];
}
const xOf = (t, width) => ((t - view.low) / (view.high - view.low)) * width;
const tOf = (x, width) => view.low + (x / width) * (view.high - view.low);
const said = (t, step = 1) => {
  const s = Math.abs(t) + 1e-9, m = Math.floor(s / 60), rest = s - 60 * m, digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  const minutes = m >= 60 ? `${Math.floor(m / 60)}:${String(m % 60).padStart(2, "0")}` : String(m);
  return `${t < -1e-9 ? "−" : ""}${minutes}:${rest.toFixed(digits).padStart(digits ? 3 + digits : 2, "0")}`;
};
function nice(span, most) {
  for (const step of [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]) if (span / step <= most) return step;
  return 7200;
}
function hatch(pen, x, width, height) {
  pen.save();
  pen.beginPath();
  pen.rect(x, 0, width, height);
  pen.clip();
  pen.fillStyle = colour("--gap");
  pen.fillRect(x, 0, width, height);
  pen.strokeStyle = colour("--rule");
  pen.beginPath();
  for (let k = Math.floor((x - height) / 9) * 9; k < x + width; k += 9) { pen.moveTo(k, height); pen.lineTo(k + height, 0); }
  pen.stroke();
  pen.restore();
}
function laneOf(side) {
  const [pen, width, height] = canvas(`lane-${side}`);
  const lane = data[side], low = 16, room = height - low, ink = colour(side === "reference" ? "--a" : "--b");
  const local = (t) => (side === "reference" ? (t < 0 || t > length.reference ? null : t) : partner("reference", t));
  const mapped = lane.kind === "lines" ? null : local;
  if (mapped) {
    let from = null; // stretches where this side has nothing
    for (let x = 0; x <= width; x++) {
      const here = x < width && mapped(tOf(x + 0.5, width)) === null;
      if (here && from === null) from = x;
      if (!here && from !== null) { if (x - from > 1) hatch(pen, from, x - from, height); from = null; }
    }
  }
  // what the other side has no partner for, on this one
  for (const gap of data.breaks) if (gap.side === side) {
    const a = onReference(side, gap.start), b = onReference(side, gap.end);
    if (side === "reference") { pen.fillStyle = colour("--gap"); pen.fillRect(xOf(a, width), 0, xOf(b, width) - xOf(a, width), height); }
    else {
      const at = a ?? b ?? 0, x = clamp(xOf(at, width), 1, width - 1);
      if (x < 2 && gap.start > 0.01 && at < view.low) continue;
      pen.strokeStyle = pen.fillStyle = ink;
      pen.setLineDash([4, 3]);
      pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, height); pen.stroke();
      pen.setLineDash([]);
      const label = `${(gap.end - gap.start).toFixed(1)} s more`;
      const wide = pen.measureText(label).width;
      pen.fillText(label, x + wide + 6 < width ? x + 4 : x - wide - 4, 12);
    }
  }
  const picture = lane.strip && lane.strip.image.complete && lane.strip.image.width;
  if (picture) {
    const { times, width: w, height: h, image } = lane.strip, tall = lane.peaks ? room * 0.62 : room, wide = (w * tall) / h;
    for (let x = 0; x < width; x += wide) {
      const t = mapped(tOf(x + Math.min(wide, width - x) / 2, width));
      if (t === null) continue;
      let k = times.findIndex((u) => u > t);
      k = (k < 0 ? times.length : Math.max(k, 1)) - 1;
      const part = Math.min(1, (width - x) / wide);
      pen.drawImage(image, k * w, 0, w * part, h, x, 0, wide * part, tall);
    }
  }
  if (lane.peaks) {
    const { values, rate } = lane.peaks, top = picture ? room * 0.66 : 0, middle = top + (room - top) / 2, half = (room - top) / 2 - 1;
    pen.fillStyle = ink;
    for (let x = 0; x < width; x += 0.5) {
      const a = mapped(tOf(x, width)), b = mapped(tOf(x + 0.5, width));
      if (a === null || b === null || b - a > 60 * (view.high - view.low) / width + 5) continue;
      let most = 0;
      for (let k = Math.max(0, Math.floor(a * rate)); k <= b * rate && k < values.length; k++) most = Math.max(most, values[k]);
      const size = Math.max(0.5, (most / 255) * half);
      pen.fillRect(x, middle - size, 0.5, 2 * size);
    }
  }
  if (lane.heat) {
    const { rows, columns, start, end, values } = lane.heat, tall = (room - 2) / rows;
    for (let x = 0; x < width; x++) {
      const t = mapped(tOf(x + 0.5, width));
      if (t === null) continue;
      const k = clamp(Math.floor(((t - start) / Math.max(end - start, 1e-9)) * columns), 0, columns - 1);
      pen.fillStyle = ink;
      if (rows > 3) for (let r = 0; r < rows; r++) {
        pen.globalAlpha = values[r * columns + k] / 255;
        pen.fillRect(x, room - (r + 1) * tall, 1, tall + 0.5);
      } else for (let r = 0; r < rows; r++) {
        const next = clamp(k + 1, 0, columns - 1), y = room - (values[r * columns + k] / 255) * (room - 4) - 2;
        pen.globalAlpha = 1 - 0.25 * r;
        pen.fillRect(x, Math.min(y, room - (values[r * columns + next] / 255) * (room - 4) - 2), 1.5, 1.5 + Math.abs(values[r * columns + next] - values[r * columns + k]) / 255 * (room - 4));
      }
      pen.globalAlpha = 1;
    }
  }
  if (lane.kind === "lines") {
    pen.textBaseline = "middle";
    let row = 0;
    for (const line of data.lines) if (line.start !== null && line.end > view.low && line.start < view.high) {
      const a = xOf(line.start, width), b = Math.max(xOf(line.end, width), a + 1), y = 3 + (row++ % 2) * (room / 2);
      pen.globalAlpha = 0.22;
      pen.fillStyle = ink;
      pen.fillRect(a, y, b - a, room / 2 - 4);
      pen.globalAlpha = 1;
      pen.fillRect(a, y, 2, room / 2 - 4);
      pen.save();
      pen.beginPath(); pen.rect(a, y, b - a, room / 2); pen.clip();
      pen.fillStyle = colour("--ink");
      pen.fillText(line.text, a + 6, y + room / 4 - 1);
      pen.restore();
    }
    pen.textBaseline = "alphabetic";
  }
  ticks(pen, width, height, side);
}
function ticks(pen, width, height, side) {
  pen.fillStyle = colour("--soft");
  const step = nice(view.high - view.low, Math.max(3, width / 80));
  const direct = side === "reference" || data[side].kind === "lines";
  const pairs = [];
  if (direct) for (let t = Math.ceil(view.low / step) * step; t <= view.high; t += step) pairs.push([t, t]);
  else for (let q = 0; q <= length.query; q += step) { const t = partner("query", q); if (t !== null && t >= view.low && t <= view.high) pairs.push([t, q]); }
  let free = -1;
  for (const [t, label] of pairs) {
    const x = xOf(t, width);
    pen.fillRect(Math.round(x), height - 16, 1, 4);
    const text = said(label, step), wide = pen.measureText(text).width;
    if (x < free || x + wide + 3 > width) continue;
    pen.fillText(text, x + 3, height - 4);
    free = x + wide + 10;
  }
}
function ribbon() {
  const half = data.segments.flat().filter((p) => p[2] !== null);
  if (!half.length) { $("ribbon-box").hidden = true; return; }
  const [pen, width, height] = canvas("ribbon"), most = Math.max(...half.map((p) => p[2]), 1e-4), middle = height / 2;
  $("ribbon-name").textContent = `how sure: the 90 % interval of every moment, at most ± ${most < 0.0995 ? (most * 1000).toPrecision(2) + " ms" : most.toFixed(2) + " s"}`;
  pen.fillStyle = colour("--band");
  for (const s of data.segments) {
    pen.beginPath();
    for (const [t, , w] of s) pen.lineTo(xOf(t, width), middle - (w / most) * (middle - 2));
    for (const [t, , w] of [...s].reverse()) pen.lineTo(xOf(t, width), middle + (w / most) * (middle - 2));
    pen.fill();
  }
  pen.fillStyle = colour("--a");
  for (const s of data.segments) pen.fillRect(xOf(s[0][0], width), middle - 0.5, xOf(s[s.length - 1][0], width) - xOf(s[0][0], width), 1);
}

// --- the path --------------------------------------------------------------------------------------------------------
const box = { left: 44, right: 10, top: 8, bottom: 24 };
function path() {
  if (!data.segments.length) { $("path-section").hidden = true; return; }
  const [pen, width, height] = canvas("path"), w = width - box.left - box.right, h = height - box.top - box.bottom;
  const xq = (q) => box.left + (q / length.query) * w, yr = (r) => box.top + h - (r / length.reference) * h;
  pen.strokeStyle = colour("--rule");
  pen.strokeRect(box.left, box.top, w, h);
  pen.fillStyle = colour("--soft");
  const every = nice(length.query, w / 70), rows = nice(length.reference, h / 40);
  for (let q = 0; q <= length.query; q += every) { pen.fillRect(xq(q), box.top + h, 1, 4); pen.fillText(said(q, every), xq(q) + 3, height - 8); }
  for (let r = 0; r <= length.reference; r += rows) { pen.fillRect(box.left - 4, yr(r), 4, 1); pen.fillText(said(r, rows), 2, yr(r) + 4); }
  pen.save();
  pen.beginPath(); pen.rect(box.left, box.top, w, h); pen.clip();
  pen.fillStyle = colour("--gap");
  for (const b of data.breaks) {
    if (b.side === "reference") pen.fillRect(box.left, yr(b.end), w, yr(b.start) - yr(b.end));
    else pen.fillRect(xq(b.start), box.top, xq(b.end) - xq(b.start), h);
  }
  for (const s of data.segments) {
    if (s[0][2] !== null) {
      pen.fillStyle = colour("--band");
      pen.beginPath();
      for (const [r, q, v] of s) pen.lineTo(xq(q), yr(r + v) - 1);
      for (const [r, q, v] of [...s].reverse()) pen.lineTo(xq(q), yr(r - v) + 1);
      pen.fill();
    }
    pen.strokeStyle = colour("--bad");
    pen.lineWidth = 1.8;
    pen.beginPath();
    for (const [r, q] of s) pen.lineTo(xq(q), yr(r));
    pen.stroke();
  }
  pen.restore();
  const [r, q] = both();
  pen.strokeStyle = colour("--ink");
  pen.lineWidth = 1;
  pen.setLineDash([2, 3]);
  pen.beginPath();
  if (q !== null) { pen.moveTo(xq(q), box.top); pen.lineTo(xq(q), box.top + h); }
  if (r !== null) { pen.moveTo(box.left, yr(r)); pen.lineTo(box.left + w, yr(r)); }
  pen.stroke();
  pen.setLineDash([]);
  if (r !== null && q !== null) { pen.fillStyle = colour("--bad"); pen.beginPath(); pen.arc(xq(q), yr(r), 4.5, 0, 7); pen.fill(); }
  if (data.costs) {
    const [r0, r1, q0, q1] = data.costs.extent, image = $("costs");
    image.hidden = false;
    if (!image.src) image.src = data.costs.uri;
    Object.assign(image.style, { left: `${xq(q0)}px`, width: `${xq(q1) - xq(q0)}px`, top: `${yr(r1)}px`, height: `${yr(r0) - yr(r1)}px` });
  }
}
function both() {
  const t = now(), there = partner(state.leads, t);
  return state.leads === "reference" ? [t, there] : [there, t];
}

// --- what changes while it plays -------------------------------------------------------------------------------------
const lineRows = [...document.querySelectorAll(".line")], words = [...document.querySelectorAll(".word[data-t]")].map((e) => ({ e, a: Number(e.dataset.t), b: Number(e.dataset.e) }));
let lit = [], lineNow = null;
function shown() {
  const [r, q] = both(), place = r ?? (state.leads === "query" ? lastKnown(q) : null);
  $("time-reference").textContent = r === null ? "–:––" : said(r, 0.01);
  $("time-query").textContent = !data.segments.length && !data.line ? "" : q === null ? "–:––" : said(q, 0.01);
  $("play").setAttribute("aria-pressed", String(state.playing));
  $("play").firstElementChild.textContent = state.playing ? "❚❚" : "▶";
  $("play").lastElementChild.textContent = state.playing ? "Pause" : "Play";
  const lanes = document.querySelector(".lanes"), cursor = $("cursor");
  cursor.hidden = place === null || place < view.low || place > view.high;
  if (!cursor.hidden) cursor.style.left = `${xOf(place, lanes.clientWidth)}px`;
  for (const side of SIDES) {
    const slider = $(`lane-${side}`), t = side === "reference" ? r : q;
    slider.setAttribute("aria-valuemax", length[side].toFixed(2));
    slider.setAttribute("aria-valuenow", (t ?? 0).toFixed(2));
    slider.setAttribute("aria-valuetext", t === null ? "no partner here" : `${t.toFixed(1)} seconds of ${length[side].toFixed(1)}`);
  }
  for (const e of lit) e.classList.remove("now");
  lit = [];
  if (r !== null) for (const w of words) if (r >= w.a && r < w.b) { w.e.classList.add("now"); lit.push(w.e); }
  const k = r === null ? -1 : data.lines.findIndex((l) => l.start !== null && r >= l.start - 0.005 && r < l.end);
  if (k >= 0) { lineRows[k].classList.add("now"); lit.push(lineRows[k]); }
  if (k >= 0 && k !== lineNow) {
    const pane = $("text"), row = lineRows[k];
    pane.scrollTo({ top: row.offsetTop - pane.clientHeight / 3, behavior: calm ? "auto" : "smooth" });
  }
  lineNow = k;
}
// Where the query alone plays: the moment of the reference at which it stands.
function lastKnown(q) {
  let at = null;
  for (const s of data.segments) if (s[s.length - 1][1] <= q + 1e-6) at = s[s.length - 1][0];
  return at ?? (data.segments.length ? data.segments[0][0][0] : null);
}
let stopped = 0;
function frame() {
  const r = onReference(state.leads, now());
  if (r !== null && state.playing && r > view.high && view.high < whole[1]) { reveal(r); draw(); }
  shown();
  if (++stopped % 3 === 0) path();
  if (state.playing) requestAnimationFrame(frame);
}
function draw() {
  for (const side of SIDES) laneOf(side);
  ribbon();
  path();
  shown();
  const span = view.high - view.low, all = whole[1] - whole[0], scroll = $("scroll");
  scroll.hidden = span >= all * 0.999;
  if (!scroll.hidden) scroll.value = String(1000 * (view.low - whole[0]) / (all - span));
}

// --- finding one's way -----------------------------------------------------------------------------------------------
function reveal(r) {
  if (r === null || (r >= view.low && r <= view.high)) return;
  const span = view.high - view.low;
  view.low = clamp(r - 0.1 * span, whole[0], Math.max(whole[0], whole[1] - span));
  view.high = view.low + span;
}
function zoom(factor, about) {
  const all = whole[1] - whole[0], span = clamp((view.high - view.low) * factor, Math.min(0.5, all), all);
  const share = (about - view.low) / (view.high - view.low);
  view.low = clamp(about - share * span, whole[0], whole[1] - span);
  view.high = view.low + span;
  draw();
}
const middle = () => { const r = both()[0]; return r !== null && r >= view.low && r <= view.high ? r : (view.low + view.high) / 2; };
$("zoom-in").addEventListener("click", () => zoom(0.5, middle()));
$("zoom-out").addEventListener("click", () => zoom(2, middle()));
$("zoom-all").addEventListener("click", () => { [view.low, view.high] = whole; draw(); });
$("scroll").addEventListener("input", () => {
  const span = view.high - view.low;
  view.low = whole[0] + ($("scroll").value / 1000) * (whole[1] - whole[0] - span);
  view.high = view.low + span;
  draw();
});
for (const side of SIDES) {
  const lane = $(`lane-${side}`);
  const go = (event) => {
    const at = tOf(event.offsetX, lane.clientWidth);
    const q = side === "query" && data.query.kind !== "lines" ? partner("reference", at) : null;
    if (q !== null) seek("query", q);
    else if (state.leads === "query" && partner("reference", at) === null) { lead("reference"); seek("reference", at); }
    else seek("reference", at);
  };
  lane.addEventListener("pointerdown", (event) => { lane.setPointerCapture(event.pointerId); go(event); });
  lane.addEventListener("pointermove", (event) => { if (event.buttons & 1) go(event); });
  lane.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, tOf(event.offsetX, lane.clientWidth));
  }, { passive: false });
}
$("path").addEventListener("pointerdown", (event) => {
  const w = $("path").clientWidth - box.left - box.right, h = $("path").clientHeight - box.top - box.bottom;
  const q = clamp((event.offsetX - box.left) / w, 0, 1) * length.query, r = clamp(1 - (event.offsetY - box.top) / h, 0, 1) * length.reference;
  if (partner("query", q) !== null) seek("query", q); else if (partner("reference", r) !== null) seek("reference", r); else seek("query", q);
});
document.addEventListener("click", (event) => {
  const target = event.target.closest(".go[data-t], .word[data-t]");
  if (!target) return;
  const side = target.dataset.side ?? "reference";
  if (target.dataset.side) lead(side);
  seek(side, Number(target.dataset.t) + 1e-4);
  if (target.classList.contains("go")) play();
});
const stops = (data.lines.some((l) => l.start !== null) ? data.lines.map((l) => l.start) : data.segments.flatMap((s) => [s[0][0], s[s.length - 1][0]]))
  .filter((t) => t !== null).sort((x, y) => x - y);
const KEYS = {
  " ": toggle,
  ArrowLeft: (e) => seek(state.leads, now() - (e.shiftKey ? 5 : 1)),
  ArrowRight: (e) => seek(state.leads, now() + (e.shiftKey ? 5 : 1)),
  ArrowUp: () => { const r = both()[0] ?? 0; seek("reference", stops.filter((t) => t < r - 0.3).pop() ?? 0); },
  ArrowDown: () => { const r = both()[0] ?? 0; seek("reference", stops.find((t) => t > r + 0.05) ?? r); },
  Home: () => seek(state.leads, 0),
  End: () => seek(state.leads, length[state.leads]),
  "+": () => zoom(0.5, middle()), "=": () => zoom(0.5, middle()), "-": () => zoom(2, middle()), "0": () => { [view.low, view.high] = whole; draw(); },
  "1": () => hear("reference"), "2": () => hear("both"), "3": () => hear("query"),
};
document.addEventListener("keydown", (event) => {
  const inside = event.target.closest("button, select, input, summary, a");
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  if (inside && (event.key === " " || event.key.startsWith("Arrow") && inside.matches("select, input") || ["Home", "End"].includes(event.key) && inside.matches("select, input"))) return;
  event.preventDefault();
  KEYS[event.key](event);
});
new ResizeObserver(() => draw()).observe(document.querySelector(".lanes"));
new MutationObserver(() => draw()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
if (!data.segments.length && !data.line) $("query-how").textContent = "text, on the clock of the recording";
else if (data.query.kind === "lines") $("query-how").textContent = "query, on the clock of the reference";
for (const side of SIDES) players[side].element?.addEventListener("loadedmetadata", () => { if (!state.playing) follow(); }, { once: true });
draw();
})();
