"use strict";
// What the scripts of all pages share.

// Okabe and Ito's colours, which all kinds of colour vision tell apart.
const PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A7A00", "#000000"];
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
// Seven points of cividis (Nunez, Anderton, Renslow 2018), straight lines between them.
const CIVIDIS = ["#00204c", "#1f3a6d", "#575c6d", "#7d7b78", "#a59c74", "#cfbe61", "#ffe945"].map(rgb);

const $ = (id) => document.getElementById(id);
const say = (text) => { $("said").textContent = text; };
const count = (n) => n.toLocaleString("en-US");
const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

function unpack(text, Kind) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}

const option = (select, value, text) => {
  const one = document.createElement("option");
  one.value = value; one.textContent = text; select.append(one);
};

/** Lowest and highest number of a colour scale; numbers that are none do not count. */
function ends(values) {
  let low = Infinity, high = -Infinity;
  for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
  return low < high ? [low, high] : low === high ? [low, low + 1] : [0, 1];
}

/** Red, green, blue at a part, 0 to 1, of the way through cividis. */
function cividis(part) {
  const place = Math.min(1, Math.max(0, part)) * (CIVIDIS.length - 1);
  const k = Math.min(CIVIDIS.length - 2, Math.floor(place)), share = place - k;
  return CIVIDIS[k].map((c, i) => Math.round(c * (1 - share) + CIVIDIS[k + 1][i] * share));
}

/** Whether x, y lies in a polygon (corners xs, ys), by the crossings of a ray. */
function inside(x, y, xs, ys) {
  let within = false;
  for (let i = 0, j = xs.length - 1; i < xs.length; j = i++) {
    if ((ys[i] > y) !== (ys[j] > y) && x < (xs[j] - xs[i]) * (y - ys[i]) / (ys[j] - ys[i]) + xs[i]) within = !within;
  }
  return within;
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob); link.download = name;
  document.body.append(link); link.click(); link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1e4);
}
