"use strict";
// One page for both: served (trajectories of a selection come from the server) and exported (they
// are in the page, or are left out where they are too many).
const SIDE = 200, MOST_LISTED = 200;
const INK = { a: "#0072B2", b: "#D55E00" };
// plotly reads some HTML in its texts.
const plain = (text) => String(text).replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
const state = { a: new Uint32Array(0), b: new Uint32Array(0), active: "a" };
let world, map;

function read() {
  const told = JSON.parse($("data").textContent);
  const maps = {};
  for (const [name, both] of Object.entries(told.maps)) maps[name] = both.map((one) => unpack(one, Float32Array));
  world = {
    ...told, maps,
    uid: unpack(told.uid, Uint32Array), city: unpack(told.city, Uint16Array),
    cluster: unpack(told.cluster, Uint16Array), rows: unpack(told.rows, Uint32Array),
    entropy: unpack(told.entropy, Float32Array), radius: unpack(told.radius, Float32Array),
    hours: unpack(told.hours, Uint16Array), starts: unpack(told.starts, Uint32Array),
    cells: unpack(told.cells, Uint16Array), times: unpack(told.times, Uint16Array),
    whole: told.whole && { d: unpack(told.whole.d, Int16Array), t: unpack(told.whole.t, Uint8Array), cell: unpack(told.whole.cell, Uint16Array) },
  };
}

// -- the map ------------------------------------------------------------------------------------

const byKind = () => ["cluster", "city"].includes($("colour").value);
const kindsOf = (by) => by === "city" ? world.cities : [...new Set(world.cluster)].sort((a, b) => a - b).map((c) => `cluster ${c}`);

/** Red, green, blue of every user. */
function colours() {
  const values = world[$("colour").value], n = values.length, found = new Uint8Array(3 * n);
  const kinds = PALETTE.map(rgb), [low, high] = byKind() ? [] : ends(values);
  for (let u = 0; u < n; u++) {
    if (byKind()) { found.set(kinds[values[u] % 8], 3 * u); continue; }
    found.set(cividis((values[u] - low) / (high - low)), 3 * u);
  }
  return found;
}

/** What plotly draws: nothing but the bar of colours, at the corners of the map. */
function corners(x, y) {
  const by = $("colour").value, bar = { colorscale: CIVIDIS.map((c, i) => [i / (CIVIDIS.length - 1), `rgb(${c})`]), showscale: true,
    colorbar: { title: { text: by === "entropy" ? "bits" : "km" }, thickness: 12, len: 0.8 } };
  const marker = byKind() ? { opacity: 0 } : { opacity: 0, color: ends(world[by]), ...bar };
  return { type: "scatter", mode: "markers", x: ends(x), y: ends(y), marker, hoverinfo: "skip" };
}

function legend() {
  const by = $("colour").value, box = $("legend");
  box.replaceChildren();
  if (!byKind()) return;
  const names = kindsOf(by);
  if (names.length > 16) { box.textContent = `${names.length} of them; colours repeat`; return; }
  names.forEach((name, i) => {
    const one = document.createElement("span"), dot = document.createElement("i");
    dot.style.background = PALETTE[i % 8];
    one.append(dot, name || "no city said");
    box.append(one);
  });
}

const BARE = { margin: { l: 8, r: 8, t: 8, b: 8 }, paper_bgcolor: "#fff", plot_bgcolor: "#fff", font: { color: "#1b1f24", size: 12 } };
// plotly's own button to share a chart would send it away.
const NO_BUTTONS = ["sendChartToCloud", "autoScale2d", "toImage"];
const CONFIG = { responsive: true, displaylogo: false, displayModeBar: true, scrollZoom: true, plotlyServerURL: "", modeBarButtonsToRemove: NO_BUTTONS };

const CLEAR = "rgba(0,0,0,0)";

async function drawMap() {
  const [x, y] = world.maps[$("map").value], n = world.uid.length;
  // plotly writes ranges into what it is given, so that each axis needs an object of its own.
  const axis = () => ({ showgrid: false, zeroline: false, showticklabels: false, ticks: "" });
  const found = world.marked === undefined ? [] : [{ x: x[world.marked], y: y[world.marked], text: `user ${world.uid[world.marked]}`, showarrow: true, arrowhead: 2 }];
  await Plotly.react("points", [corners(x, y)], {
    ...BARE, paper_bgcolor: CLEAR, plot_bgcolor: CLEAR, modebar: { bgcolor: "rgba(255,255,255,0.7)", color: "#8c959f", activecolor: "#1b1f24" },
    dragmode: "lasso", xaxis: axis(), yaxis: axis(), annotations: found,
    uirevision: $("map").value, hovermode: false,
  }, CONFIG);
  map.set(x, y, colours(), n > 20000 ? 3 : n > 2000 ? 5 : 8);
  legend();
}

function describe(u) {
  say(`user ${world.uid[u]}${world.cities[world.city[u]] ? " of " + world.cities[world.city[u]] : ""}: ` +
    `${plural(world.rows[u], "row")}, entropy ${world.entropy[u].toFixed(2)} bits, radius ${world.radius[u].toFixed(1)} km, cluster ${world.cluster[u]} (${world.sentences[world.cluster[u]]})`);
}

/** The area that was drawn, as users; plotly's outline goes, or it would take later clicks for itself. */
function drawn(event) {
  if (!event || !(event.lassoPoints || event.range)) return;
  const { x, y } = event.lassoPoints || { x: [0, 1, 1, 0].map((i) => event.range.x[i]), y: [0, 0, 1, 1].map((i) => event.range.y[i]) };
  Plotly.relayout("points", { selections: [] });
  select(map.within(x, y));
}

const TWICE = 350;

/** Points under the pointer: said, and chosen by a click. */
function followPointer() {
  const plot = $("points");
  const under = (event) => {
    const box = plot.getBoundingClientRect(), [h, v] = map.axes();
    const left = event.clientX - box.left, top = event.clientY - box.top;
    const outside = left < h.begin || top < v.begin || left > h.begin + h.length || top > v.begin + v.length;
    return outside ? -1 : map.nearest(left, top);
  };
  let pressed = null, last = -Infinity;
  plot.addEventListener("pointermove", (event) => { const u = event.buttons ? -1 : under(event); if (u >= 0) describe(u); });
  plot.addEventListener("pointerdown", (event) => { pressed = event.target.closest(".modebar") ? null : [event.clientX, event.clientY]; }, true);
  // plotly puts a cover over the page while a button is held, so the release is the page's.
  document.addEventListener("pointerup", (event) => {
    if (!pressed || Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 4) { pressed = null; return; }
    pressed = null;
    const u = under(event);
    if (u >= 0) select([u]);
    // Twice beside all users: none. (In the other modes plotly goes back to the whole map then.)
    else if (event.timeStamp - last < TWICE && ["lasso", "select"].includes(plot._fullLayout.dragmode)) select([]);
    last = u >= 0 ? -Infinity : event.timeStamp;
  }, true);
}

// -- the selection -------------------------------------------------------------------------------

const chosen = () => state[state.active];

function select(users) {
  state[state.active] = Uint32Array.from(users).sort();
  showTheirCity();
  show();
}

/** Each city has a grid of its own: where nobody chosen lives in the one shown, show where most do. */
function showTheirCity() {
  const users = new Uint32Array(world.cities.length);
  for (const u of chosen()) users[world.city[u]]++;
  if (chosen().length && !users[Number($("city").value)]) $("city").value = users.indexOf(Math.max(...users));
}

function sums(users, city) {
  const cells = new Float64Array(SIDE * SIDE), hours = new Float64Array(24);
  let total = 0;
  for (const u of users) {
    if (world.city[u] !== city) continue;
    for (let i = world.starts[u]; i < world.starts[u + 1]; i++) { cells[world.cells[i]] += world.times[i]; total += world.times[i]; }
    for (let h = 0; h < 24; h++) hours[h] += world.hours[24 * u + h];
  }
  return { cells, hours, total };
}

const grid = (flat, f) => {
  // Rows of the picture are y, columns are x; cells count along y.
  const z = [];
  for (let y = 0; y < SIDE; y++) { const row = []; for (let x = 0; x < SIDE; x++) row.push(f(flat[x * SIDE + y])); z.push(row); }
  return z;
};

function drawHeat(a, b) {
  const difference = $("show").value === "difference";
  const one = state.active === "a" ? a : b;
  const share = (part) => part.cells.map((n) => n / Math.max(1, part.total));
  const theirs = difference && share(b);
  const flat = difference ? share(a).map((s, i) => s - theirs[i]) : one.cells;
  const most = flat.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const trace = difference
    ? { zmin: -1, zmax: 1, z: grid(flat, (v) => (v === 0 ? null : Math.sign(v) * Math.sqrt(Math.abs(v) / most))),
        colorscale: [[0, INK.b], [0.5, "#f7f7f7"], [1, INK.a]], hovertemplate: "x %{x}, y %{y}: %{customdata:.3%}<extra></extra>",
        colorbar: { thickness: 12, tickvals: [-1, 0, 1], ticktext: ["B", "0", "A"] } }
    : { zmin: 0, zmax: Math.max(Math.log10(1 + most), 0.3), z: grid(flat, (v) => (v === 0 ? null : Math.log10(1 + v))),
        colorscale: "Cividis", reversescale: true, hovertemplate: "x %{x}, y %{y}: %{customdata} rows<extra></extra>",
        colorbar: { thickness: 12, title: { text: "rows" }, tickvals: [1, 10, 100, 1e3, 1e4, 1e5, 1e6].map((v) => Math.log10(1 + v)), ticktext: ["1", "10", "100", "1k", "10k", "100k", "1M"] } };
  const [low, high] = range(flat);
  return Plotly.react("heat", [{ type: "heatmap", x0: 1, dx: 1, y0: 1, dy: 1, customdata: grid(flat, (v) => v), ...trace }], {
    ...BARE, margin: { l: 52, r: 8, t: 10, b: 40 },
    xaxis: { title: { text: "x (cell)", standoff: 8 }, range: [low[0], high[0]], constrain: "domain", zeroline: false },
    yaxis: { title: { text: "y (cell)", standoff: 10 }, range: [low[1], high[1]], scaleanchor: "x", constrain: "domain", zeroline: false },
  }, { ...CONFIG, displayModeBar: false });
}

function range(flat) {
  const low = [SIDE, SIDE], high = [1, 1];
  flat.forEach((v, i) => {
    if (!v) return;
    [Math.floor(i / SIDE) + 1, (i % SIDE) + 1].forEach((c, k) => { low[k] = Math.min(low[k], c); high[k] = Math.max(high[k], c); });
  });
  return low[0] > high[0] ? [[0.5, 0.5], [SIDE + 0.5, SIDE + 0.5]] : [low.map((c) => c - 2), high.map((c) => c + 2)];
}

function drawHours(a, b) {
  const bars = [["a", a], ["b", b]].filter(([name, part]) => part.total || name === state.active).map(([name, part]) => ({
    type: "bar", name: name.toUpperCase(), marker: { color: INK[name], pattern: { shape: name === "b" ? "/" : "" } },
    x: [...Array(24).keys()], y: Array.from(part.hours, (n) => n / Math.max(1, part.total)), customdata: Array.from(part.hours),
    hovertemplate: "%{x}:00 %{y:.1%} (%{customdata} rows)",
  }));
  return Plotly.react("hours", bars, {
    ...BARE, margin: { l: 44, r: 8, t: 6, b: 32 }, showlegend: bars.length > 1, bargap: 0.15,
    xaxis: { title: { text: "hour of the day", standoff: 4 }, dtick: 3 }, yaxis: { tickformat: ".0%", rangemode: "tozero" },
  }, { ...CONFIG, displayModeBar: false });
}

function drawTable() {
  const users = chosen(), body = document.createDocumentFragment();
  for (const u of users.slice(0, MOST_LISTED)) {
    const row = document.createElement("tr");
    for (const text of [world.uid[u], world.cities[world.city[u]], world.cluster[u], count(world.rows[u]), world.entropy[u].toFixed(2), world.radius[u].toFixed(1)]) {
      const cell = document.createElement("td");
      cell.textContent = text; row.append(cell);
    }
    body.append(row);
  }
  $("table").tBodies[0].replaceChildren(body);
  $("more").textContent = users.length > MOST_LISTED ? `the first ${MOST_LISTED} of ${count(users.length)}` : "";
}

async function show() {
  const city = Number($("city").value);
  const a = sums(state.a, city), b = sums(state.b, city);
  for (const name of ["a", "b"]) $(`count-${name}`).textContent = count(state[name].length);
  const none = !chosen().length;
  $("rows").disabled = none || !(world.whole || world.served);
  $("rows").title = world.whole || world.served ? "" : "too many to be kept in this file";
  $("picture").disabled = none;
  drawTable();
  map.choose(chosen());
  await Promise.all([drawHeat(a, b), drawHours(a, b)]);
  const one = state.active === "a" ? a : b;
  const beside = chosen().filter((u) => world.city[u] !== city).length;
  const others = beside ? ` in ${world.cities[city] || "no city said"}; ${count(beside)} of these users are in other cities` : "";
  say(none ? "Draw a lasso or a box around users, click one, or find one by id." : `${state.active.toUpperCase()}: ${plural(chosen().length, "user")}, ${plural(one.total, "row")}${others}`);
  document.body.dataset.drawn = String(Number(document.body.dataset.drawn || 0) + 1);
}

// -- what can be done ----------------------------------------------------------------------------

async function saveRows() {
  const name = `selection-${state.active}.csv`;
  if (!world.whole) {
    const reply = await fetch("trajectories.csv", { method: "POST", body: JSON.stringify(Array.from(chosen())) });
    if (!reply.ok) { say(`the server refused: ${reply.status}`); return; }
    save(await reply.blob(), name); return;
  }
  const several = world.cities.length > 1;
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [several ? "city,uid,d,t,x,y" : "uid,d,t,x,y"];
  let start = 0, next = 0;
  for (const u of chosen()) {
    for (; next < u; next++) start += world.rows[next];
    for (let i = start; i < start + world.rows[u]; i++) {
      const c = world.whole.cell[i];
      const city = several ? quoted(world.cities[world.city[u]]) + "," : "";
      lines.push(`${city}${world.uid[u]},${world.whole.d[i]},${world.whole.t[i]},${Math.floor(c / SIDE) + 1},${(c % SIDE) + 1}`);
    }
  }
  save(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }), name);
}

function find(event) {
  event.preventDefault();
  const wanted = $("uid").value.trim();
  // A user is a uid in a city: CITY:UID where several cities have it.
  const [, city, uid] = /^(?:(.*):)?\s*(\d+)$/.exec(wanted) || [];
  const users = uid === undefined ? [] : Array.from(world.uid.keys()).filter((u) =>
    world.uid[u] === Number(uid) && (city === undefined || world.cities[world.city[u]] === city.trim()));
  if (!users.length) { say(`no user ${wanted} here`); return; }
  if (users.length > 1) { say(`user ${uid} is in several cities: ${users.map((u) => `${world.cities[world.city[u]]}:${uid}`).join(", ")}`); return; }
  world.marked = users[0];
  select(users); drawMap();
}

function group() {
  const [by, value] = $("group").value.split(":");
  if (by) select(Array.from(world.uid.keys()).filter((u) => world[by][u] === Number(value)));
}

function listen() {
  const plot = $("points");
  plot.on("plotly_selected", drawn);
  for (const event of ["plotly_relayouting", "plotly_relayout", "plotly_afterplot"]) plot.on(event, () => map.draw());
  followPointer();
  $("search").addEventListener("submit", find);
  for (const id of ["map", "colour"]) $(id).addEventListener("change", drawMap);
  for (const id of ["show", "city"]) $(id).addEventListener("change", show);
  $("group").addEventListener("change", group);
  for (const one of document.querySelectorAll("input[name=active]")) one.addEventListener("change", () => { state.active = one.value; show(); });
  const clear = () => { world.marked = undefined; $("group").value = ""; select([]); drawMap(); };
  $("clear").addEventListener("click", clear);
  $("rows").addEventListener("click", saveRows);
  $("picture").addEventListener("click", () => Plotly.downloadImage("heat", { format: "png", width: 1000, height: 900, filename: `selection-${state.active}` }));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") clear();
    if (event.key === "/" && event.target.id !== "uid") { event.preventDefault(); $("uid").focus(); }
  });
}

async function start() {
  read();
  map = new Points($("points"), $("canvas"));
  for (const name of Object.keys(world.maps)) option($("map"), name, name);
  world.cities.forEach((name, i) => option($("city"), i, name || "no city said"));
  $("city-label").hidden = world.cities.length < 2;
  if (world.cities.length > 1) { $("colour").value = "city"; world.cities.forEach((name, i) => option($("group"), `city:${i}`, name || "no city said")); }
  for (const c of [...new Set(world.cluster)].sort((a, b) => a - b)) option($("group"), `cluster:${c}`, `cluster ${c}: ${world.sentences[c]}`);
  await drawMap();
  listen();
  await show();
  document.body.dataset.ready = String(Math.round(performance.now()));
}

start();
