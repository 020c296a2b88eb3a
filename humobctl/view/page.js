"use strict";
// Reads the data, filters it by time, users and tables, and says what is drawn.

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], GREY = [140, 140, 140];
const WINDOWS = [["all time", 0], ["1 day", 1440], ["6 hours", 360], ["1 hour", 60], ["30 minutes", 30], ["10 minutes", 10]];
const MOST_LISTED = 100, MOST_PATHS = 30, PLAY = 220;
const KINDS = { layer: Uint8Array, x: Float32Array, y: Float32Array, to_x: Float32Array, to_y: Float32Array, user: Uint32Array, day: Int32Array, start: Int32Array, end: Int32Array, intent: Uint8Array, label: Uint32Array, value: Float32Array };
const DARK = window.matchMedia("(prefers-color-scheme: dark)");

const view = { D: null, level: null, colours: null, chosen: null, hours: 0xffffff, weekdays: 0x7f, from: 0, window: 0, hidden: 0, hovered: -1, counts: null };
let map, strip, told;

function read() {
  told = JSON.parse($("data").textContent);
  const D = { n: told.n };
  for (const [name, Kind] of Object.entries(KINDS)) if (told.rows[name]) D[name] = unpack(told.rows[name], Kind);
  D.lines = told.line && { ends: unpack(told.line.ends, Uint32Array), x: unpack(told.line.x, Float32Array), y: unpack(told.line.y, Float32Array) };
  D.base = told.base.map((one) => ({ ends: unpack(one.ends, Uint32Array), x: unpack(one.x, Float32Array), y: unpack(one.y, Float32Array) }));
  if (D.day) {
    D.hours = new Uint32Array(D.n);
    for (let i = 0; i < D.n; i++) {
      const first = Math.floor(D.start[i] / 60), last = Math.max(first, Math.ceil(D.end[i] / 60) - 1);
      D.hours[i] = last - first >= 23 ? 0xffffff : 0;
      if (!D.hours[i]) for (let h = first; h <= last; h++) D.hours[i] |= 1 << h % 24;
    }
    D.timed = D.hours.some((hours) => hours !== 0xffffff);
  }
  view.all = new Uint32Array(D.n); view.rows = view.all;
  view.D = D; view.level = new Uint8Array(D.n); view.colours = new Uint8Array(3 * D.n);
  view.chosen = new Set();
}

// -- words --------------------------------------------------------------------------------------

const clock = (minute) => `${String(Math.floor(minute / 60) % 24).padStart(2, "0")}:${String(Math.floor(minute) % 60).padStart(2, "0")}`;
const weekdayOf = (day) => ((day + told.weekday) % 7 + 7) % 7;
function dayName(day) {
  if (!told.start) return `day ${day} (${DAYS[weekdayOf(day)]})`;
  const date = new Date(`${told.start}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + day);
  return `${DAYS[weekdayOf(day)]} ${date.toISOString().slice(0, 10)}`;
}
const number = (v) => (Math.abs(v) >= 100 ? count(Math.round(v)) : String(+v.toFixed(Math.abs(v) >= 10 ? 1 : 2)));
const many = (n, noun) => (noun === "activity" ? `${count(n)} ${n === 1 ? noun : "activities"}` : noun === "home and work" ? `${count(n)} pairs of home and work` : plural(n, noun));

function describe(i) {
  const { D } = view, lines = [];
  if (told.counted) return `${told.tables[0].label}${told.labels[D.label[i] - 1]}\n${many(view.squares.get(told.cells[i]) || 0, told.tables[0].noun)}`;
  if (told.tables.length > 1) lines.push(told.tables[D.layer[i]].name);
  if (D.user && D.user[i]) lines.push(`user ${told.users[D.user[i] - 1]}`);
  if (D.day) lines.push(`${dayName(D.day[i])}, ${clock(D.start[i])}${D.end[i] > D.start[i] ? `–${D.end[i] === 1440 ? "24:00" : clock(D.end[i])}` : ""}`);
  if (D.intent && D.intent[i] !== 255) lines.push(told.intents[D.intent[i]]);
  if (D.label && D.label[i]) lines.push(`${told.tables[D.layer[i]].label}${told.labels[D.label[i] - 1]}`);
  const changed = told.difference && D.layer[i] === 2;
  if (D.value && !Number.isNaN(D.value[i])) lines.push(`${changed ? "difference" : told.measure[0]} ${changed && D.value[i] > 0 ? "+" : ""}${number(D.value[i])} ${told.measure[1]}`);
  return lines.join("\n");
}

// -- colours ------------------------------------------------------------------------------------

// Twelve intents: Okabe and Ito's colours, the last four with a lighter or darker neighbour.
const INTENT_COLOURS = ["#D55E00", "#0072B2", "#E69F00", "#CC79A7", "#009E73", "#8A7A00", "#56B4E9", "#3B3B98", "#8C2D19", "#9AA5AF", "#B5A642", "#66C2A4"].map(rgb);
const TABLE_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"].map(rgb);

function colourChoices() {
  const { D } = view, found = [];
  if (told.counted) return [["density", "number of records"]];
  if (told.difference) found.push(["difference", "difference (trips)"]);
  if (told.tables.length > 1) found.push(["table", "table"]);
  if (told.cell) found.push(["density", "number of records"]);
  if (D.intent) found.push(["intent", "intent"]);
  if (D.value) found.push(["value", `${told.measure[0]} (${told.measure[1]})`]);
  if (D.user) found.push(["user", "user"]);
  if (D.timed) found.push(["hour", "hour of the day"]);
  if (D.day) found.push(["day", "day"]);
  return found.length ? found : [["plain", "one colour"]];
}

/** Less blue, more vermilion, no change grey; by the root, since a few flows are much larger. */
const CHANGE = [PALETTE[0], "#b5b5b5", PALETTE[5]].map(rgb);
const changeColour = (part) => { const side = part < 0.5 ? 0 : 2, share = Math.sqrt(Math.abs(2 * part - 1)); return CHANGE[1].map((c, k) => Math.round(c + (CHANGE[side][k] - c) * share)); };

/** Values and their ends, where the colours are a scale; null for kinds. */
function scaleOf(by) {
  const { D } = view;
  if (by === "difference") {
    const sizes = [];
    for (let i = 0; i < D.n; i++) if (D.layer[i] === 2 && leads(i)) sizes.push(Math.abs(D.value[i]));
    sizes.sort((a, b) => a - b);
    const most = sizes.length ? sizes[Math.floor((sizes.length - 1) * 0.99)] : 1;
    return { at: (i) => D.value[i], low: -most, high: most };
  }
  if (by === "value") {
    const values = Float32Array.from(D.value.filter((v) => !Number.isNaN(v)).map((v) => (told.difference ? Math.abs(v) : v))).sort();
    return { at: (i) => (told.difference ? Math.abs(D.value[i]) : D.value[i]), low: values.length ? Math.min(0, values[0]) : 0, high: values.length ? Math.max(values[Math.floor((values.length - 1) * 0.98)], 1e-9) : 1 };
  }
  if (by === "hour") return { at: (i) => D.start[i] / 60, low: 0, high: 24 };
  if (by === "day") { const [low, high] = ends(D.day); return { at: (i) => D.day[i], low, high }; }
  return null;
}

function colour() {
  const { D, colours } = view, by = $("colour").value, scale = scaleOf(by), kinds = PALETTE.slice(0, 7).map(rgb);
  const ramp = scale && Array.from({ length: 256 }, (_, k) => (by === "hour" ? hourColour(k / 255) : by === "difference" ? changeColour(k / 255) : cividis(DARK.matches ? 0.15 + 0.85 * k / 255 : 0.92 * k / 255)));
  const kind = by === "intent" ? (i) => (D.intent[i] === 255 ? GREY : INTENT_COLOURS[D.intent[i]]) : by === "user" ? (i) => kinds[D.user[i] % 7] : by === "table" ? (i) => TABLE_COLOURS[D.layer[i] % 4] : by === "density" ? (i) => kinds[told.cells[i] % 7] : () => TABLE_COLOURS[0];
  if (map) map.hooks.points.level = dotLevels();
  for (let i = 0; i < D.n; i++) {
    let one;
    if (by === "difference" && D.layer[i] !== 2) one = TABLE_COLOURS[D.layer[i]];
    else if (scale) { const v = scale.at(i); one = Number.isNaN(v) ? GREY : ramp[Math.max(0, Math.min(255, Math.round((v - scale.low) / (scale.high - scale.low) * 255)))]; } else one = kind(i);
    colours[3 * i] = one[0]; colours[3 * i + 1] = one[1]; colours[3 * i + 2] = one[2];
  }
  legend(by, scale, ramp);
}

/** Squares stand for their dots. */
const dotLevels = () => ($("colour").value === "density" ? new Uint8Array(view.D.n) : view.level);

/** A circle of colours: night blue, morning orange, noon yellow, evening red. */
function hourColour(part) {
  const stops = [[31, 58, 109], [86, 180, 233], [230, 159, 0], [213, 94, 0], [31, 58, 109]], place = part * 4, k = Math.min(3, Math.floor(place));
  return stops[k].map((c, j) => Math.round(c + (stops[k + 1][j] - c) * (place - k)));
}

function legend(by, scale, ramp) {
  const box = $("legend"), spans = [];
  box.replaceChildren();
  const entry = (colour, text) => { const one = document.createElement("span"), dot = document.createElement("i"); dot.style.background = `rgb(${colour})`; one.append(dot, text); spans.push(one); };
  if (by === "intent") {
    const seen = new Set(view.D.intent);
    told.intents.forEach((name, k) => seen.has(k) && entry(INTENT_COLOURS[k], name));
    if (seen.has(255)) entry(GREY, "unknown");
  } else if (scale) {
    const bar = document.createElement("div"), names = document.createElement("div");
    bar.className = "bar"; names.className = "ends";
    bar.style.background = `linear-gradient(to right, ${[0, 64, 128, 191, 255].map((k) => `rgb(${ramp[k]})`).join(",")})`;
    for (const text of by === "hour" ? ["0:00", "12:00", "24:00"] : by === "day" ? [dayName(scale.low), dayName(scale.high)] : [number(scale.low), `${number(scale.high)}${by === "value" ? " and more" : ""}`]) { const one = document.createElement("span"); one.textContent = text; names.append(one); }
    spans.push(bar, names);
    if (by === "difference") { const one = document.createElement("p"); names.firstChild.textContent = `${number(scale.low)} trips or less`; names.lastChild.textContent = `+${number(scale.high)} or more`; one.textContent = `Blue: more in ${told.tables[0].name}. Orange: more in ${told.tables[1].name}.`; spans.push(one); }
  } else if (by === "user") { const one = document.createElement("span"); one.textContent = "seven colours that repeat"; spans.push(one); }
  box.append(...spans);
}

// -- what is drawn ------------------------------------------------------------------------------

/** Records by the minute at which they begin, so that a step in time looks at its own alone. */
function orderByTime() {
  const { D } = view, [low, high] = ends(D.day), span = (high - low + 2) * 1440, wide = Math.ceil(span / (1 << 20));
  const bins = new Uint32Array(Math.ceil(span / wide) + 1), order = new Uint32Array(D.n);
  const bin = (i) => Math.floor(((D.day[i] - low) * 1440 + D.start[i]) / wide);
  let longest = 1;
  for (let i = 0; i < D.n; i++) { bins[bin(i) + 1]++; longest = Math.max(longest, D.end[i] - D.start[i]); }
  for (let k = 1; k < bins.length; k++) bins[k] += bins[k - 1];
  const next = bins.slice();
  for (let i = 0; i < D.n; i++) order[next[bin(i)]++] = i;
  const at = (minute) => bins[Math.max(0, Math.min(bins.length - 1, Math.floor((minute - low * 1440) / wide)))];
  /** Records that may last in a window, in their order. */
  view.during = (from, until) => order.slice(at(from - longest), at(until + wide)).sort();
}

/** A row is a record, or a square at an hour of the day, and so many of them. */
const recordsOf = (i) => (told.counted ? view.D.value[i] : 1);

/** Levels of all records: 0 filtered out, 1 of users who are not selected, 2 drawn; and which have one. */
function filter() {
  const { D, level, chosen } = view, until = view.from + view.window, some = chosen.size > 0;
  const picked = some && new Uint8Array(told.users.length + 1);
  for (const u of chosen) picked[u] = 1;
  const users = new Uint8Array(told.users.length + 1), perHour = new Float64Array(24);
  const [first, last] = D.day ? view.ends : [0, 0], dayOn = new Uint8Array(last - first + 1);
  for (let day = first; day <= last; day++) dayOn[day - first] = D.day && !(view.weekdays >> weekdayOf(day) & 1) ? 0 : 1;
  const during = D.day && view.window ? view.during(view.from, until) : null, count = during ? during.length : D.n;
  const rows = during || view.all;
  let drawn = 0, kept = 0;
  level.fill(0);
  for (let k = 0; k < count; k++) {
    const i = during ? during[k] : k;
    if (view.hidden && view.hidden >> D.layer[i] & 1) continue;
    if (D.day) {
      if (!dayOn[D.day[i] - first]) continue;
      if (view.window) {
        const base = D.day[i] * 1440, end = Math.max(D.end[i], D.start[i] + 1);
        if (base + D.start[i] >= until || base + end <= view.from) continue;
      }
      if (!picked || picked[D.user[i]]) perHour[Math.floor(D.start[i] / 60) % 24] += recordsOf(i);
      if (!(D.hours[i] & view.hours)) continue;
    }
    rows[kept++] = i;
    level[i] = picked && !picked[D.user[i]] ? 1 : 2;
    if (level[i] === 2) { drawn += recordsOf(i); if (D.user) users[D.user[i]] = 1; }
  }
  let people = 0;
  for (let u = 1; u < users.length; u++) people += users[u];
  view.counts = { drawn, users: people, perHour };
  view.rows = rows.subarray(0, kept);
  if (map) map.hooks.points.rows = view.rows;
  if (told.cell) squares();
}

/** Records by cell, for squares; cells lie on a lattice of the plane. */
function squares() {
  const { level, rows } = view, counts = new Float64Array(told.firsts.length);
  for (const i of rows) if (level[i] === 2) counts[told.cells[i]] += recordsOf(i);
  view.squares = new Map();
  counts.forEach((n, key) => { if (n) view.squares.set(key, n); });
}

function sayCounts() {
  const { drawn, users } = view.counts, noun = told.tables[0].noun;
  const all = told.records === drawn ? "" : ` of ${count(told.records)}`;
  const who = view.D.user ? `, ${plural(users, "user")}${users === told.users.length ? "" : ` of ${count(told.users.length)}`}` : "";
  say(`${many(drawn, noun).replace(" ", `${all} `)}${who}${view.chosen.size ? ` (${count(view.chosen.size)} selected)` : ""}. ${told.note}`);
}

function refresh() { filter(); sayCounts(); hourBars(); listUsers(); showDays(); if (map) map.draw(); }

function below(context) {
  if (told.tiles) map.tiles(context, told.tiles);
  context.strokeStyle = css("--base"); context.lineWidth = 1;
  for (const lines of view.D.base) { context.beginPath(); map.trace(context, lines, 0, lines.ends.length); context.stroke(); }
  if (!told.tiles && told.plane.cell_km) lattice(context);
  if (told.cell && $("colour").value === "density") drawSquares(context);
  if (view.D.lines || (view.D.to_x && !told.truth)) drawWays(context);
}

/** A bare grid: lines each so many cells. */
function lattice(context) {
  const side = told.cell, step = [1, 2, 5, 10, 20, 50, 100].find((n) => n * side * map.scale > 60) * side;
  const [left, top] = map.place(0, 0), [right, low] = map.place(map.width, map.height);
  const first = (v) => (Math.floor(v / step) + 0.5 * side / step) * step;
  context.strokeStyle = css("--line"); context.beginPath();
  for (let x = first(left); x <= right; x += step) { const [px] = map.at(x, 0); context.moveTo(px, 0); context.lineTo(px, map.height); }
  for (let y = first(low); y <= top; y += step) { const [, py] = map.at(0, y); context.moveTo(0, py); context.lineTo(map.width, py); }
  context.stroke();
}

function drawSquares(context) {
  const { D } = view;
  let most = 1;
  for (const n of view.squares.values()) most = Math.max(most, n);
  const side = told.cell * map.scale, wide = Math.max(1, side - (side > 6 ? 1 : 0));
  for (const [key, n] of view.squares) {
    const i = told.firsts[key], [px, py] = map.at(D.x[i], D.y[i]);
    if (px < -side || py < -side || px > map.width + side || py > map.height + side) continue;
    const part = Math.log1p(n) / Math.log1p(most);
    context.fillStyle = `rgb(${cividis(DARK.matches ? 0.2 + 0.8 * part : 1 - part)})`;
    context.fillRect(px - wide / 2, py - wide / 2, wide, wide);
  }
  const box = $("legend"), bar = document.createElement("div"), names = document.createElement("div");
  bar.className = "bar"; names.className = "ends";
  bar.style.background = `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map((p) => `rgb(${cividis(DARK.matches ? 0.2 + 0.8 * p : 1 - p)})`).join(",")})`;
  for (const text of ["1", many(most, told.tables[0].noun)]) { const one = document.createElement("span"); one.textContent = text; names.append(one); }
  box.replaceChildren(bar, names);
}

/** Whether a trip or flow leads from one place to another: a line, not a dot. */
const leads = (i) => view.D.x[i] !== view.D.to_x[i] || view.D.y[i] !== view.D.to_y[i];

/** Trips and flows: their lines, or straight from end to end; flows as wide as they are large. */
function drawWays(context) {
  const { D, level, colours } = view;
  let most = 0;
  if (told.flows) for (const i of view.rows) if (leads(i)) most = Math.max(most, Math.abs(D.value[i]));
  const way = { ends: [2], x: new Float32Array(2), y: new Float32Array(2) };
  for (const pass of [1, 2]) {
    const groups = new Map();
    for (const i of view.rows) {
      if (level[i] !== pass) continue;
      const key = (colours[3 * i] << 16 | colours[3 * i + 1] << 8 | colours[3 * i + 2]) * 16 + (most ? Math.min(15, Math.round(15 * Math.sqrt(Math.abs(D.value[i]) / most))) : 0);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(i);
    }
    for (const [key, several] of [...groups].sort((a, b) => a[0] % 16 - b[0] % 16)) {
      const c = Math.floor(key / 16), width = most ? 0.5 + (key % 16) / 15 * 9 : 1.3;
      context.globalAlpha = pass === 1 ? 0.12 : most ? (told.difference ? 0.06 : 0.25) + 0.6 * (key % 16) / 15 : 0.75;
      context.strokeStyle = `rgb(${c >> 16},${c >> 8 & 255},${c & 255})`; context.lineWidth = width;
      context.beginPath();
      for (const i of several) {
        const own = D.lines && D.lines.ends[i] > (i ? D.lines.ends[i - 1] : 0) + 1;
        if (own) { map.trace(context, D.lines, i, i + 1); continue; }
        if (!D.to_x || Number.isNaN(D.to_x[i])) continue;
        way.x[0] = D.x[i]; way.y[0] = D.y[i]; way.x[1] = D.to_x[i]; way.y[1] = D.to_y[i];
        map.trace(context, way, 0, 1);
      }
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

/** Selected users' ways through their records, the lasso, the record under the pointer. */
function over(context) {
  const { D, level } = view;
  if (D.day && D.user && view.chosen.size && view.chosen.size <= MOST_PATHS && (told.truth || !D.to_x) && !D.lines) {
    if (told.truth) drawMisses(context);
    context.lineWidth = 1.4; context.globalAlpha = 0.65;
    for (const [first, last] of runs()) {
      let pen = false;
      context.strokeStyle = told.tables.length > 1 ? `rgb(${TABLE_COLOURS[D.layer[first] % 4]})` : css("--ink");
      context.beginPath();
      for (let i = first; i < last; i++) {
        if (level[i] !== 2) continue;
        const [px, py] = map.at(D.x[i], D.y[i]);
        if (pen) context.lineTo(px, py); else context.moveTo(px, py);
        pen = true;
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }
  if (map.lasso) {
    context.strokeStyle = css("--accent"); context.lineWidth = 2; context.setLineDash([5, 4]); context.beginPath();
    map.lasso.forEach((p, k) => { const [px, py] = map.at(...p); if (k) context.lineTo(px, py); else context.moveTo(px, py); });
    context.closePath(); context.stroke(); context.setLineDash([]);
  }
  if (view.hovered >= 0 && D.x) {
    const [px, py] = map.at(D.x[view.hovered], D.y[view.hovered]);
    context.strokeStyle = css("--ink"); context.lineWidth = 2; context.beginPath(); context.arc(px, py, 8, 0, 7); context.stroke();
  }
}

/** From predicted to true places. */
function drawMisses(context) {
  const { D, level } = view;
  context.strokeStyle = css("--dim"); context.lineWidth = 1; context.setLineDash([2, 3]); context.beginPath();
  for (const [first, last] of runs()) {
    for (let i = first; i < last; i++) {
      if (level[i] !== 2 || Number.isNaN(D.to_x[i])) continue;
      context.moveTo(...map.at(D.x[i], D.y[i])); context.lineTo(...map.at(D.to_x[i], D.to_y[i]));
    }
  }
  context.stroke(); context.setLineDash([]);
}

/** First and last record of each selected user in each table; records are sorted so. */
function runs() {
  const { D } = view, found = [];
  view.starts ||= (() => { const starts = []; for (let i = 0; i < D.n; i++) if (!i || D.user[i] !== D.user[i - 1] || D.layer[i] !== D.layer[i - 1]) starts.push(i); starts.push(D.n); return starts; })();
  for (let k = 0; k + 1 < view.starts.length; k++) if (view.chosen.has(D.user[view.starts[k]])) found.push([view.starts[k], view.starts[k + 1]]);
  return found;
}

// -- days ---------------------------------------------------------------------------------------

function showDays() {
  const { D } = view;
  if (!D.day) return;
  const rows = [], everyone = !view.chosen.size;
  const few = everyone && !D.x;
  if (few) { view.chosen = new Set(told.users.map((_, u) => u + 1).slice(0, 40)); }
  for (const [first, last] of D.user ? runs() : []) {
    for (let i = first, j; i < last; i = j) {
      for (j = i + 1; j < last && D.day[j] === D.day[i];) j++;
      const shown = view.level.subarray(i, j).some((l) => l);
      if (shown || !view.window) rows.push({ first: i, last: j, layer: D.layer[i], user: D.user[i], day: D.day[i] });
    }
  }
  if (few) view.chosen = new Set();
  rows.sort((a, b) => a.user - b.user || a.day - b.day || a.layer - b.layer);
  const shown = rows.slice(0, MOST_STRIPS), users = new Set(shown.map((row) => row.user));
  for (const row of shown) {
    const day = told.start ? dayName(row.day).slice(4) : `day ${row.day}`, table = told.tables.length > 1 ? ` ${told.sides ? told.sides[row.layer] : told.tables[row.layer].name}` : "";
    row.text = `${users.size > 1 ? `${told.users[row.user - 1]} ` : ""}${day}${table}`;
  }
  strip.show(shown, everyone ? profile() : null);
  const noun = told.tables[0].noun === "activity" ? "Activities" : `${told.tables[0].noun[0].toUpperCase()}${told.tables[0].noun.slice(1)}s`;
  $("days-head").textContent = shown.length ? `Days${rows.length > shown.length ? `: the first ${shown.length} of ${count(rows.length)}` : ""}` : `${noun} by time of day.${D.user ? " Select a user to see days." : ""}`;
}

/** Records that last through each half hour, by kind of the colours. */
function profile() {
  const { D, level, colours, rows } = view, kinds = new Map(), step = rows.length > 100000 ? Math.ceil(rows.length / 100000) : 1;
  const scaled = !["table", "intent", "plain"].includes($("colour").value);
  let before = NaN, counts = null;
  for (let k = 0; k < rows.length; k += step) {
    const i = rows[k];
    if (level[i] !== 2) continue;
    const key = scaled ? -1 : colours[3 * i] << 16 | colours[3 * i + 1] << 8 | colours[3 * i + 2];
    if (key !== before) { counts = kinds.get(key); if (!counts) kinds.set(key, counts = new Float64Array(48)); before = key; }
    const last = Math.max(D.start[i], Math.min(D.end[i], 1440) - 1);
    for (let slot = Math.floor(D.start[i] / 30); slot <= last / 30; slot++) counts[Math.min(47, slot)] += step * recordsOf(i);
  }
  const total = new Float64Array(48);
  for (const counts of kinds.values()) counts.forEach((n, slot) => { total[slot] += n; });
  return { kinds: [...kinds.keys()].map((key) => (key < 0 ? rgb("#5b9bc4") : [key >> 16, key >> 8 & 255, key & 255])), counts: [...kinds.values()], most: Math.max(...total) };
}

// -- the side -----------------------------------------------------------------------------------

function hourBars() {
  if (!view.D.timed) return;
  const most = Math.max(1, ...view.counts.perHour);
  [...$("hours").children].forEach((button, hour) => {
    button.firstChild.style.height = `${Math.round(view.counts.perHour[hour] / most * 32)}px`;
    button.setAttribute("aria-pressed", String(Boolean(view.hours >> hour & 1)));
    button.title = `${hour}:00–${hour + 1}:00: ${many(view.counts.perHour[hour], told.tables[0].noun)} begin`;
  });
}

function makeClock() {
  for (let hour = 0; hour < 24; hour++) {
    const button = document.createElement("button"), bar = document.createElement("i"), text = document.createElement("span");
    button.type = "button"; button.setAttribute("aria-label", `${hour}:00`); text.textContent = hour % 3 ? "" : hour;
    button.append(bar, text);
    // The first press asks for this hour alone, further ones add to it or take away.
    button.addEventListener("click", () => { view.hours = view.hours === 0xffffff ? 1 << hour : view.hours ^ 1 << hour; if (!view.hours) view.hours = 0xffffff; refresh(); });
    $("hours").append(button);
  }
  DAYS.forEach((name, k) => {
    const button = document.createElement("button");
    button.type = "button"; button.textContent = name; button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => {
      view.weekdays = view.weekdays === 0x7f ? 1 << k : view.weekdays ^ 1 << k; if (!view.weekdays) view.weekdays = 0x7f;
      [...$("weekdays").children].forEach((one, j) => one.setAttribute("aria-pressed", String(Boolean(view.weekdays >> j & 1))));
      refresh();
    });
    $("weekdays").append(button);
  });
  $("all-hours").addEventListener("click", () => { view.hours = 0xffffff; refresh(); });
}

function makeTables() {
  if (told.tables.length < 2) return;
  told.tables.forEach((table, k) => {
    const label = document.createElement("label"), box = document.createElement("input"), dot = document.createElement("i");
    box.type = "checkbox"; box.checked = !(view.hidden >> k & 1); dot.style.background = told.difference && k === 2 ? `linear-gradient(to right, ${PALETTE[0]}, ${PALETTE[5]})` : `rgb(${TABLE_COLOURS[k % 4]})`;
    label.title = table.name;
    label.append(box, dot, `${told.sides ? `${told.sides[k]}: ` : ""}${table.name}`);
    box.addEventListener("change", () => { view.hidden ^= 1 << k; refresh(); });
    $("tables").append(label);
  });
  const flip = document.createElement("button");
  flip.type = "button"; flip.className = "small"; flip.textContent = "one after the other"; flip.title = "Show the next table alone (T)";
  flip.addEventListener("click", flipTables);
  $("tables").append(flip);
}

/** Show the next table alone: what differs jumps to the eye, at the same place and time. */
function flipTables() {
  const all = (1 << told.tables.length) - 1, shown = told.tables.map((_, k) => k).filter((k) => !(view.hidden >> k & 1));
  if (all < 2) return;
  const next = shown.length === 1 ? (shown[0] + 1) % told.tables.length : 0;
  view.hidden = all ^ 1 << next;
  $("tables").querySelectorAll("input").forEach((box, k) => { box.checked = k === next; });
  refresh();
}

function listUsers() {
  const list = $("users"), found = document.createDocumentFragment();
  for (const u of [...view.chosen].sort((a, b) => a - b).slice(0, MOST_LISTED)) {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button"; button.textContent = told.users[u - 1];
    button.addEventListener("click", () => select([u]));
    item.append(button); found.append(item);
  }
  if (view.chosen.size > MOST_LISTED) { const item = document.createElement("li"); item.textContent = `the first ${MOST_LISTED} of ${count(view.chosen.size)}`; found.append(item); }
  if (!view.chosen.size) { const item = document.createElement("li"); item.textContent = "Click a record, draw a lasso, or find an id."; found.append(item); }
  list.replaceChildren(found);
}

function select(users) { view.chosen = new Set(users); refresh(); }

function tip(i, left, top) {
  const box = $("tip");
  view.hovered = i; box.hidden = i < 0;
  if (i < 0) return;
  box.textContent = describe(i);
  const stage = $("stage").getBoundingClientRect();
  box.style.left = `${Math.max(4, Math.min(left + 14, stage.width - 280))}px`;
  box.style.top = `${Math.max(4, Math.min(top + 14, stage.height - box.offsetHeight - 8))}px`;
}

function nearest(left, top) {
  const { D, level } = view, near = NEAR / map.scale, [x, y] = map.place(left, top);
  return D.lines || (D.to_x && !told.truth) ? nearestWay(x, y, near) : nearestPoint({ x: D.x, y: D.y, level, rows: view.rows }, x, y, near, near);
}

/** The trip or flow whose line is nearest to a place; of several flows the largest, which lies on top. */
function nearestWay(x, y, near) {
  const { D } = view;
  let best = -1, least = near * near;
  const to = (ax, ay, bx, by, i) => {
    const dx = bx - ax, dy = by - ay, part = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
    const away = (ax + part * dx - x) ** 2 + (ay + part * dy - y) ** 2;
    if (away <= least) { least = told.flows ? Math.max(away, near * near / 9) : away; best = i; }
  };
  for (const i of view.rows) {
    const first = D.lines ? (i ? D.lines.ends[i - 1] : 0) : 0, last = D.lines ? D.lines.ends[i] : 0;
    for (let k = first + 1; k < last; k++) to(D.lines.x[k - 1], D.lines.y[k - 1], D.lines.x[k], D.lines.y[k], i);
    if (last - first < 2 && D.to_x && !Number.isNaN(D.to_x[i])) to(D.x[i], D.y[i], D.to_x[i], D.to_y[i], i);
  }
  return best;
}

// -- time ---------------------------------------------------------------------------------------

function makeTime() {
  const { D } = view, [low, high] = view.ends;
  const first = low * 1440, last = (D.day.some((d) => d === high) ? high + 1 : low + 1) * 1440, slider = $("slider");
  for (const [text, minutes] of WINDOWS) option($("window"), minutes, text);
  Object.assign(slider, { min: first, max: last, step: 10 }); slider.value = first;
  view.from = first;
  $("window").addEventListener("change", () => { view.window = Number($("window").value); at(Number(slider.value)); });
  slider.addEventListener("input", () => { if (!view.window) { view.window = last - first > 1440 ? 1440 : 60; $("window").value = view.window; } at(Number(slider.value)); });
  $("play").addEventListener("click", play);
  at(first);
}

function at(minute) {
  const slider = $("slider"), day = Math.floor(minute / 1440);
  view.from = Math.max(Number(slider.min), Math.min(Number(slider.max) - Math.max(10, view.window), minute));
  slider.value = view.from;
  const start = view.from - Math.floor(view.from / 1440) * 1440, until = start + view.window;
  $("now").textContent = view.window ? `${dayName(Math.floor(view.from / 1440))} ${view.window === 1440 && !start ? "" : `${clock(start)}–${clock(until)}`}` : "all time";
  slider.setAttribute("aria-valuetext", $("now").textContent);
  refresh();
}

const stride = () => (view.window >= 1440 ? 1440 : Math.max(10, view.window / 2));
function step(sign) { if (!view.window) { view.window = 60; $("window").value = 60; } at(view.from + sign * stride()); }

function play() {
  view.playing = !view.playing;
  $("play").textContent = view.playing ? "⏸" : "▶"; $("play").setAttribute("aria-label", view.playing ? "Pause" : "Play");
  const tick = () => {
    if (!view.playing) return;
    const before = view.from; step(1);
    if (view.from === before) at(Number($("slider").min));
    setTimeout(tick, PLAY);
  };
  if (view.playing) tick();
}

// -- start --------------------------------------------------------------------------------------

function find(event) {
  event.preventDefault();
  const wanted = $("uid").value.trim().split(/[\s,]+/).filter(Boolean), found = wanted.map((name) => told.users.indexOf(name) + 1);
  const lost = wanted.filter((_, k) => !found[k]);
  if (!wanted.length || lost.length) { say(`no user ${lost.join(", ")} here`); return; }
  select(found); fitTo(2);
}

/** Fit the map to what is drawn at a level at least; far outliers of many do not count. With `most`, a few places that make the rest a dot do not count either: the middle 90 % are shown where all are five times as wide. */
function fitTo(least, most = false) {
  const { D, level } = view;
  if (!D.x) return;
  const xs = [], ys = [], step = Math.max(1, Math.floor(D.n / 50000));
  const add = (x, y) => { if (!Number.isNaN(x)) { xs.push(x); ys.push(y); } };
  for (let i = 0; i < D.n; i += D.n < 50000 || least > 1 ? 1 : step) { if (level[i] < least) continue; add(D.x[i], D.y[i]); if (D.to_x) add(D.to_x[i], D.to_y[i]); }
  if (D.lines && least < 2) for (let k = 0; k < D.lines.x.length; k += 7) add(D.lines.x[k], D.lines.y[k]);
  if (!xs.length) return;
  for (const list of [xs, ys]) list.sort((a, b) => a - b);
  const cut = (list, part) => [list[Math.floor((list.length - 1) * part)], list[Math.ceil((list.length - 1) * (1 - part))]];
  const box = (part) => [...cut(xs, part), ...cut(ys, part)], wide = ([left, right, low, high]) => Math.max(right - left, high - low);
  const all = box(xs.length > 2000 ? 0.002 : 0), middle = box(0.05);
  const few = most && xs.length >= 100 && wide(all) > 5 * wide(middle) && wide(middle) > 0;
  const pad = (told.cell || 0) / 2 + (few ? wide(middle) * 0.1 : 0), [left, right, low, high] = few ? middle : all;
  map.fit([left - pad, right + pad, low - pad, high + pad]);
}

function listen() {
  const toggle = () => { map.lassoing = !map.lassoing; $("lasso").setAttribute("aria-pressed", String(map.lassoing)); $("over").classList.toggle("lasso", map.lassoing); };
  $("search").addEventListener("submit", find);
  $("colour").addEventListener("change", () => { colour(); refresh(); });
  $("clear").addEventListener("click", () => select([]));
  $("in").addEventListener("click", () => map.zoom(1.6)); $("out").addEventListener("click", () => map.zoom(1 / 1.6));
  $("fit").addEventListener("click", () => fitTo(1)); $("lasso").addEventListener("click", toggle);
  DARK.addEventListener("change", () => { colour(); refresh(); });
  const canvas = $("strip");
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect(), i = strip.at(event.clientX - box.left, event.clientY - box.top);
    canvas.title = i < 0 ? "" : describe(i);
    if (map && view.hovered !== i) { view.hovered = i; map.paintOver(); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { $("tip").hidden = true; if (map?.lassoing) toggle(); select([]); return; }
    if (/INPUT|SELECT/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { "/": () => $("uid").focus(), "[": () => step(-1), "]": () => step(1), "+": () => map?.zoom(1.6), "=": () => map?.zoom(1.6), "-": () => map?.zoom(1 / 1.6), f: () => fitTo(1), l: () => map && toggle(), t: flipTables };
    if (view.D.day && event.key === " " && event.target.tagName !== "BUTTON") { event.preventDefault(); play(); }
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
}

function makeMap() {
  const { D } = view;
  map = new Plan($("stage"), {
    plane: told.plane, below, over,
    points: { x: D.x, y: D.y, colours: view.colours, level: dotLevels(), size: D.n > 100000 ? 2 : D.n > 10000 ? 3 : D.n > 1000 ? 5 : 7 },
    hover: (left, top) => { const before = view.hovered; tip(left < 0 ? -1 : nearest(left, top), left, top); if (before !== view.hovered) map.paintOver(); },
    clicked: (left, top) => { const i = nearest(left, top); if (i >= 0 && D.user && D.user[i]) select([D.user[i]]); },
    lassoed: (xs, ys) => {
      const found = pointsWithin({ x: D.x, y: D.y, level: view.level }, xs, ys);
      if (!D.user) { say(`${many(found.reduce((sum, i) => sum + recordsOf(i), 0), told.tables[0].noun)} in the lasso.`); return; }
      select(found.map((i) => D.user[i]).filter(Boolean));
      say(`${many(found.length, told.tables[0].noun)} of ${plural(view.chosen.size, "user")} in the lasso. ${$("said").textContent}`);
    },
  });
  $("north").textContent = told.compass;
  map.listen();
}

function start() {
  read();
  const { D } = view, classes = document.body.classList;
  classes.toggle("timeless", !D.day); classes.toggle("daily", D.day && !D.timed); classes.toggle("nobody", !D.user); classes.toggle("placeless", !D.x); classes.toggle("counted", told.counted);
  for (const [value, text] of colourChoices()) option($("colour"), value, text);
  if (told.colour) $("colour").value = told.colour;
  if (told.difference) view.hidden = told.colour === "difference" ? 0b011 : 0b100;
  $("colour-label").hidden = $("colour").options.length < 2;
  strip = new Strip($("strip"), view);
  makeTables();
  if (D.day) { view.ends = ends(D.day); orderByTime(); makeClock(); }
  if (told.cell) numberCells();
  colour();
  if (D.x) makeMap();
  listen();
  if (D.user && D.x && told.users.length <= 3) view.chosen = new Set(told.users.map((_, u) => u + 1));
  if (D.day) makeTime(); else refresh();
  fitTo(1, true);
  requestAnimationFrame(() => requestAnimationFrame(() => { document.body.dataset.ready = String(Math.round(performance.now())); }));
}

/** A number for each cell, and the first record of each. */
function numberCells() {
  const { D } = view, numbers = new Map();
  told.cells = new Uint32Array(D.n); told.firsts = [];
  for (let i = 0; i < D.n; i++) {
    const key = D.label[i];
    if (!numbers.has(key)) { numbers.set(key, told.firsts.length); told.firsts.push(i); }
    told.cells[i] = numbers.get(key);
  }
}

start();
