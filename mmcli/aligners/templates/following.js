"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const { lane, states } = data, length = Math.max(lane.duration, 0.001), live = data.rows === null;
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const T = 0, AT = 1, WIDTH = 2, STATE = 3, PACE = 4, JUMP = 5; // columns of a row
let rows = data.rows ?? [];

// --- the moment that is shown ----------------------------------------------------------------------------------------
const view = { live, t: 0, playing: false, speed: 1, begun: 0, came: 0 };
function rowAt(t) {
  let low = 0, high = rows.length - 1;
  while (low < high) { const mid = (low + high + 1) >> 1; if (rows[mid][T] <= t) low = mid; else high = mid - 1; }
  return low;
}
const end = () => (rows.length ? rows[rows.length - 1][T] : 0);
function now() {
  if (!rows.length) return null;
  const running = view.playing ? view.t + ((performance.now() - view.begun) / 1000) * view.speed : view.t;
  const t = view.live ? end() : clamp(running, rows[0][T], end());
  const k = view.live ? rows.length - 1 : rowAt(t), row = rows[k], next = rows[k + 1];
  let at = row[AT];
  // Between two rows it goes on at its pace; live not for longer than rows usually take to come.
  if (states[row[STATE]] === "playing" && !calm) {
    const ahead = view.live ? Math.min((performance.now() - view.came) / 1000, 0.2) : next && !next[JUMP] ? Math.min(t - row[T], 0.2) : 0;
    at += row[PACE] * ahead;
  }
  return { t, k, row, at: clamp(at, 0, length), state: states[row[STATE]] };
}

// --- drawing ---------------------------------------------------------------------------------------------------------
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
function canvas(id) {
  const element = $(id), ratio = window.devicePixelRatio || 1, width = element.clientWidth, height = element.clientHeight;
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
const said = (t, digits = 0) => {
  const whole = Math.floor(t * 10 ** digits + 1e-6) / 10 ** digits, m = Math.floor(whole / 60), s = (whole - 60 * m).toFixed(digits);
  const minutes = m >= 60 ? `${Math.floor(m / 60)}:${String(m % 60).padStart(2, "0")}` : String(m);
  return `${minutes}:${s.padStart(digits ? 3 + digits : 2, "0")}`;
};
function nice(span, most) {
  for (const step of [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]) if (span / step <= most) return step;
  return 7200;
}
if (lane.peaks) lane.peaks.values = bytes(lane.peaks.data);
if (lane.heat) lane.heat.values = bytes(lane.heat.data);
const pitches = lane.notes ? [Math.min(...lane.notes.map((n) => n[2])) - 1, Math.max(...lane.notes.map((n) => n[2])) + 1] : null;

// The reference between two of its times, on a canvas.
function draw(id, low, high, marks) {
  const [pen, width, height] = canvas(id), room = height - 16, x = (t) => ((t - low) / (high - low)) * width;
  for (const [from, to] of marks) { pen.fillStyle = colour("--past"); pen.fillRect(x(from), 0, Math.max(1, x(to) - x(from)), room); }
  pen.fillStyle = colour("--a");
  if (lane.notes) {
    const tall = Math.max(2, room / (pitches[1] - pitches[0]));
    for (const [a, b, pitch] of lane.notes) if (b > low && a < high) {
      pen.fillRect(x(a), room - ((pitch - pitches[0]) / (pitches[1] - pitches[0])) * room, Math.max(1.5, x(b) - x(a) - 1), tall);
    }
  } else if (lane.peaks) {
    const { values, rate } = lane.peaks;
    for (let p = 0; p < width; p += 0.5) {
      const a = low + (p / width) * (high - low), b = a + (0.5 / width) * (high - low);
      if (b < 0 || a > length) continue;
      let most = 0;
      for (let k = Math.max(0, Math.floor(a * rate)); k <= b * rate && k < values.length; k++) most = Math.max(most, values[k]);
      const size = Math.max(0.5, (most / 255) * (room / 2 - 1));
      pen.fillRect(p, room / 2 - size, 0.5, 2 * size);
    }
  } else {
    const { rows: count, columns, start, end: last, values } = lane.heat, tall = room / count;
    for (let p = 0; p < width; p++) {
      const t = low + ((p + 0.5) / width) * (high - low);
      if (t < start || t > last) continue;
      const k = clamp(Math.floor(((t - start) / Math.max(last - start, 1e-9)) * columns), 0, columns - 1);
      for (let r = 0; r < count; r++) {
        pen.globalAlpha = values[r * columns + k] / 255;
        pen.fillRect(p, room - (r + 1) * tall, 1, tall + 0.3);
      }
    }
    pen.globalAlpha = 1;
  }
  pen.fillStyle = colour("--soft");
  const step = nice(high - low, width / 60);
  for (let t = Math.ceil(Math.max(low, 0) / step) * step; t <= Math.min(high, length); t += step) {
    pen.fillRect(Math.round(x(t)), room, 1, 4);
    if (x(t) + pen.measureText(said(t)).width + 4 < width) pen.fillText(said(t), x(t) + 3, height - 3);
  }
  return [pen, width, room, x];
}
// Stretches of the reference that were played until row k.
let played = { until: -1, spans: [] };
function spans(k) {
  if (k < played.until) played = { until: -1, spans: [] };
  for (let i = played.until + 1; i <= k; i++) {
    const at = rows[i][AT], last = played.spans[played.spans.length - 1];
    if (states[rows[i][STATE]] !== "playing") continue;
    if (last && !rows[i][JUMP] && Math.abs(at - last[1]) < 1) last[1] = Math.max(last[1], at);
    else played.spans.push([at, at]);
  }
  played.until = Math.max(played.until, k);
  return played.spans;
}
const NEAR_S = 8;
function near(moment) {
  const middle = moment?.at ?? 0, [pen, width, room, x] = draw("near", middle - NEAR_S, middle + NEAR_S, []);
  const half = moment?.row[WIDTH];
  if (half) {
    pen.fillStyle = colour("--past");
    pen.fillRect(x(middle - half), 0, Math.max(2, x(middle + half) - x(middle - half)), room);
  }
  pen.fillStyle = colour("--bad");
  pen.fillRect(width / 2 - 1, 0, 2, room);
}
const box = { left: 46, right: 8, top: 8, bottom: 40 };
function course(moment) {
  const [pen, width, height] = canvas("course"), w = width - box.left - box.right, h = height - box.top - box.bottom;
  const span = Math.max(end(), 1), x = (t) => box.left + (t / span) * w, y = (at) => box.top + h - (at / length) * h;
  pen.strokeStyle = colour("--rule");
  pen.strokeRect(box.left, box.top, w, h);
  pen.fillStyle = colour("--soft");
  const across = nice(span, w / 70), up = nice(length, h / 34);
  for (let t = 0; t <= span; t += across) { pen.fillRect(x(t), box.top + h, 1, 3); if (x(t) + 34 < width) pen.fillText(said(t), x(t) + 3, height - 6); }
  for (let at = 0; at <= length; at += up) { pen.fillRect(box.left - 4, y(at), 4, 1); pen.fillText(said(at), 4, y(at) + 4); }
  const inks = states.map((s) => colour(`--${s}`)), every = Math.max(1, Math.floor(rows.length / (3 * w)));
  let last = null;
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k];
    if (k % every && !row[JUMP] && (!last || row[STATE] === last[STATE])) continue;
    if (last) {
      pen.fillStyle = pen.strokeStyle = inks[last[STATE]];
      const from = Math.floor(x(last[T]));
      pen.fillRect(from, box.top + h + 6, Math.max(1, Math.ceil(x(row[T])) - from), 10);
      pen.lineWidth = states[last[STATE]] === "playing" ? 2 : 1.2;
      pen.setLineDash(row[JUMP] ? [2, 3] : []);
      pen.beginPath();
      pen.moveTo(x(last[T]), y(last[AT]));
      pen.lineTo(x(row[T]), y(row[AT]));
      pen.stroke();
    }
    last = row;
  }
  pen.setLineDash([]);
  if (!moment) return;
  pen.fillStyle = colour("--bad");
  pen.fillRect(x(moment.t) - 0.5, box.top, 1, h + 16);
  pen.beginPath();
  pen.arc(x(moment.t), y(moment.at), 4.5, 0, 7);
  pen.fill();
}

// --- what is said ----------------------------------------------------------------------------------------------------
let listed = 0, stretch = null;
const put = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
function tell(t, what, at) {
  const row = $("events").insertRow(), cells = [said(t, 1), what, at === null ? "" : said(at, 1)];
  for (const [k, text] of cells.entries()) {
    const cell = row.insertCell();
    if (k !== 1) cell.className = "n";
    if (k) cell.textContent = text;
    else {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.setAttribute("aria-label", `go to ${text}`);
      button.disabled = view.live;
      button.addEventListener("click", () => go(Math.max(0, t - 0.5)));
      cell.append(button);
    }
  }
  $("events-section").hidden = false;
  return row;
}
function happened() {
  for (; listed < rows.length; listed++) {
    const row = rows[listed], state = states[row[STATE]], before = listed ? rows[listed - 1] : null;
    if (stretch && state !== stretch.state) stretch = null;
    if (row[JUMP] && before) tell(row[T], `jumped from ${said(before[AT], 1)}`, row[AT]);
    if (!stretch && state !== "playing") stretch = { state, begun: row[T], row: null, at: row[AT] };
    if (!stretch || row[T] - stretch.begun < 0.5) continue;
    stretch.row ??= tell(stretch.begun, stretch.state, stretch.state === "lost" ? null : stretch.at);
    stretch.row.cells[1].textContent = `${stretch.state} for ${(row[T] - stretch.begun).toFixed(1)} s`;
  }
}
let jumpsUntil = [0, 0];
function jumps(k) {
  if (k < jumpsUntil[0]) jumpsUntil = [0, 0];
  for (let i = jumpsUntil[0]; i <= k; i++) jumpsUntil[1] += rows[i][JUMP];
  jumpsUntil[0] = k + 1;
  return jumpsUntil[1];
}
function show() {
  const moment = now();
  near(moment);
  if (!moment) return;
  const { row, at, state, t, k } = moment, half = row[WIDTH];
  put("position", said(at, 1));
  put("state-name", state);
  document.querySelector("#state .mark").style.background = colour(`--${state}`);
  put("pace", state === "playing" ? `${row[PACE].toFixed(2)} ×` : "–");
  put("width", half === null ? "–" : half < 0.0995 ? `± ${Math.round(half * 1000)} ms` : `± ${half.toFixed(2)} s`);
  put("heard", said(t, 0));
  put("jumps", String(jumps(k)));
  $("cursor").style.left = `${(at / length) * 100}%`;
  $("whole").setAttribute("aria-label", `position ${at.toFixed(1)} of ${length.toFixed(1)} seconds`);
  if (!view.live && document.activeElement !== $("at")) $("at").value = String(t);
}
function all() {
  const moment = now();
  show();
  draw("whole", 0, length, moment ? spans(moment.k) : []);
  course(moment);
}

// --- time passes -----------------------------------------------------------------------------------------------------
let asked = false, slow = 0;
function frame() {
  asked = false;
  show();
  if (performance.now() - slow > 250) { slow = performance.now(); all(); }
  if (view.playing && now().t >= end()) pause();
  if (view.live || view.playing) soon();
}
function soon() { if (!asked) { asked = true; requestAnimationFrame(frame); } }
function go(t) {
  view.t = clamp(t, rows[0][T], end());
  view.begun = performance.now();
  $("at").value = String(view.t);
  all();
}
function play() {
  if (view.t >= end() - 0.05) view.t = rows[0][T];
  view.playing = true;
  view.begun = performance.now();
  button();
  soon();
}
function pause() {
  view.t = now().t;
  view.playing = false;
  button();
  all();
}
function button() {
  $("play").setAttribute("aria-pressed", String(view.playing));
  $("play").firstElementChild.textContent = view.playing ? "❚❚" : "▶";
  $("play").lastElementChild.textContent = view.playing ? "Pause" : "Play";
}
// What was followed can be played through again.
function over() {
  view.live = false;
  view.t = end();
  happened();
  for (const element of $("events").querySelectorAll("button")) element.disabled = false;
  if (rows.length) {
    $("again").hidden = false;
    $("at").min = String(rows[0][T]);
    $("at").max = String(end());
  }
  all();
}
$("play").addEventListener("click", () => (view.playing ? pause() : play()));
$("at").addEventListener("input", () => go(Number($("at").value)));
$("speed").addEventListener("change", () => { const playing = view.playing; if (playing) pause(); view.speed = Number($("speed").value); if (playing) play(); });
document.addEventListener("keydown", (event) => {
  if (view.live || !rows.length || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("button, select, input")) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.key === " ") { event.preventDefault(); $("play").click(); }
  else if (step) { event.preventDefault(); go(now().t + step * (event.shiftKey ? 5 : 1)); }
});
put("length", said(length, 1));
put("near-how", `${NEAR_S} seconds before and after`);
for (const name of states) {
  const mark = document.createElement("span");
  mark.className = "mark";
  mark.style.background = `var(--${name})`;
  $("legend").append(mark, ` ${name}`);
}
new ResizeObserver(() => all()).observe($("lanes"));
new MutationObserver(() => all()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => all());

if (!live) { over(); happened(); }
else {
  const source = new EventSource("events");
  const trouble = (text) => { $("trouble").hidden = !text; $("trouble").textContent = text; };
  const came = (more) => { rows = rows.concat(more); view.came = performance.now(); happened(); soon(); };
  source.addEventListener("all", (event) => {
    view.live = true; // also where it answers again
    $("again").hidden = true;
    rows = [];
    listed = 0;
    stretch = null;
    played = { until: -1, spans: [] };
    jumpsUntil = [0, 0];
    $("events").replaceChildren();
    trouble("");
    came(JSON.parse(event.data));
  });
  source.addEventListener("more", (event) => came(JSON.parse(event.data)));
  source.addEventListener("end", () => { source.close(); put("said", `Followed until ${said(end(), 1)}; it has ended`); over(); });
  source.addEventListener("error", () => {
    trouble("The program that follows does not answer: it was stopped, or the page cannot reach it. What came until then is here.");
    if (view.live) over();
  });
  soon();
}
})();
