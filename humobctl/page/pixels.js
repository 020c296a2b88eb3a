"use strict";
// Points painted pixel by pixel on a canvas.
//
// Not by WebGL: where that is done in software, 100,000 points take plotly, MapLibre and deck.gl from a
// tenth of a second to seconds a frame. Painted like this they take some milliseconds everywhere, and a
// million some ten (docs/notes/speed.md has the figures).

const FAINT = 0.12, FULL = 0.8, MANY = 150000, CHUNK = 8192;

/** Pixels of a disc around a point: offsets and how much of each is covered. */
function disc(size) {
  const reach = Math.ceil(size / 2), parts = [];
  for (let y = -reach; y <= reach; y++) for (let x = -reach; x <= reach; x++) {
    const cover = Math.min(1, Math.max(0, size / 2 + 0.5 - Math.hypot(x, y)));
    if (cover > 0) parts.push([x, y, cover]);
  }
  return { reach, x: Int32Array.from(parts, (p) => p[0]), y: Int32Array.from(parts, (p) => p[1]), cover: Float32Array.from(parts, (p) => p[2]) };
}

class Pixels {
  constructor(canvas) { this.canvas = canvas; this.image = null; }

  resize(width, height) {
    const { canvas } = this;
    if (canvas.width === width && canvas.height === height && this.image) return;
    canvas.width = width; canvas.height = height;
    this.image = canvas.getContext("2d").createImageData(width, height);
    this.words = new Uint32Array(this.image.data.buffer);
  }

  /**
   * Paint points x, y (numbers of the data) in colours (Uint8Array, red green blue).
   *
   * across, down: pixels for each step in x and (upwards) in y; left, top: the numbers at the canvas's
   * corner. level: 0 not drawn, 1 faint, 2 drawn, on top; null for all drawn. rows: numbers of the
   * points that may be drawn; all where it is missing.
   */
  paint(spec) { const job = this.begin(spec); this.advance(job, Infinity); this.show(); }

  /** A picture to paint in several goes, of which nothing is seen before ``show``. */
  begin(spec) {
    const { level, rows = null, x } = spec, count = rows ? rows.length : x.length;
    this.words.fill(0);
    let faint = 0, full = level ? 0 : count;
    if (level) for (let k = 0; k < count; k++) { const one = level[rows ? rows[k] : k]; if (one === 1) faint++; else if (one === 2) full++; }
    return { spec, count, passes: [[1, faint], [2, full]].filter((one) => one[1]), shape: disc(spec.size), at: 0 };
  }

  /** Go on with a picture until a moment of ``performance.now()``; whether it is done. */
  advance(job, until) {
    while (job.passes.length) {
      const last = Math.min(job.count, job.at + CHUNK);
      this.part(job, ...job.passes[0], job.at, last);
      job.at = last;
      if (last === job.count) { job.passes.shift(); job.at = 0; }
      if (performance.now() >= until && job.passes.length) return false;
    }
    return true;
  }

  part({ spec, shape }, pass, drawn, first, last) {
    const { x, y, colours, level, rows = null, left, top, across, down } = spec;
    const { canvas, image, words } = this, { width, height } = canvas, pixels = image.data, { reach } = shape;
    const many = drawn > MANY, strength = pass === 1 ? FAINT : FULL, cover = (pass === 1 ? 40 : 255) << 24;
    for (let k = first; k < last; k++) {
      const i = rows ? rows[k] : k;
      if (level && level[i] !== pass) continue;
      const px = Math.round((x[i] - left) * across), py = Math.round((top - y[i]) * down);
      if (!(px >= reach && py >= reach && px < width - reach && py < height - reach)) continue;
      const red = colours[3 * i], green = colours[3 * i + 1], blue = colours[3 * i + 2];
      if (many) {
        const word = (cover | blue << 16 | green << 8 | red) >>> 0, at = py * width + px;
        words[at] = word; words[at - 1] = word; words[at - width] = word; words[at - width - 1] = word;
        continue;
      }
      for (let j = 0; j < shape.x.length; j++) {
        const at = 4 * ((py + shape.y[j]) * width + px + shape.x[j]), above = strength * shape.cover[j];
        const below = pixels[at + 3] / 255, alpha = above + below * (1 - above), share = above / alpha;
        pixels[at] += (red - pixels[at]) * share;
        pixels[at + 1] += (green - pixels[at + 1]) * share;
        pixels[at + 2] += (blue - pixels[at + 2]) * share;
        pixels[at + 3] = alpha * 255;
      }
    }
  }

  /** What was painted, on the canvas. */
  show() {
    const { canvas } = this;
    canvas.getContext("2d").putImageData(this.image, 0, 0);
    canvas.dataset.frames = String(Number(canvas.dataset.frames || 0) + 1);
  }
}

/** The point nearest to x, y that is drawn, -1 where none is within so many steps of both axes. */
function nearestPoint(points, x, y, reachX, reachY) {
  const { rows = null } = points, count = rows ? rows.length : points.x.length;
  let best = -1, least = 1;
  for (let k = 0; k < count; k++) {
    const i = rows ? rows[k] : k;
    if (points.level && !points.level[i]) continue;
    const dx = (points.x[i] - x) / reachX, dy = (points.y[i] - y) / reachY;
    if (dx * dx + dy * dy < least) { least = dx * dx + dy * dy; best = i; }
  }
  return best;
}

/** Numbers of the points in a polygon that are drawn. */
function pointsWithin(points, xs, ys) {
  const found = [], [left, right] = ends(xs), [low, high] = ends(ys);
  for (let i = 0; i < points.x.length; i++) {
    if (points.level && !points.level[i]) continue;
    const x = points.x[i], y = points.y[i];
    if (x >= left && x <= right && y >= low && y <= high && inside(x, y, xs, ys)) found.push(i);
  }
  return found;
}
