"use strict";
// The users as points on a canvas below plotly's axes, which give zoom, lasso, box and keys.
//
// A canvas and not WebGL: where WebGL is done in software, 100,000 points take it a tenth of a second
// a frame, and plotly's WebGL seconds. Painted pixel by pixel they take some milliseconds everywhere.

const FAINT = 0.12, FULL = 0.8, NEAR = 8;

/** Pixels of a disc around a point: offsets and how much of each is covered. */
function disc(size) {
  const reach = Math.ceil(size / 2), parts = [];
  for (let y = -reach; y <= reach; y++) for (let x = -reach; x <= reach; x++) {
    const cover = Math.min(1, Math.max(0, size / 2 + 0.5 - Math.hypot(x, y)));
    if (cover > 0) parts.push([x, y, cover]);
  }
  return { reach, x: Int32Array.from(parts, (p) => p[0]), y: Int32Array.from(parts, (p) => p[1]), cover: Float32Array.from(parts, (p) => p[2]) };
}

class Points {
  /** Points of places ``x, y`` (Float32Array) in colours (Uint8Array, red green blue) on a canvas. */
  constructor(plot, canvas) {
    Object.assign(this, { plot, canvas, x: [], y: [], colours: [], mask: null, size: 3, waiting: false });
  }

  set(x, y, colours, size) { Object.assign(this, { x, y, colours, size }); this.draw(); }

  choose(users) {
    this.mask = null;
    if (users.length) { this.mask = new Uint8Array(this.x.length); for (const u of users) this.mask[u] = 1; }
    this.draw();
  }

  /** Where the axes lie now: offset and length in pixels and range, of x and y. */
  axes() {
    const { xaxis, yaxis } = this.plot._fullLayout;
    return [xaxis, yaxis].map((axis) => ({ begin: axis._offset, length: axis._length, low: Number(axis.range[0]), high: Number(axis.range[1]) }));
  }

  /** Pixels of the plot that a user is at. */
  at(u) {
    const [h, v] = this.axes();
    return [h.begin + (this.x[u] - h.low) / (h.high - h.low) * h.length, v.begin + (v.high - this.y[u]) / (v.high - v.low) * v.length];
  }

  /** Draw at the next frame, however often it is asked for until then. */
  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
  }

  paint() {
    const ratio = window.devicePixelRatio || 1, [h, v] = this.axes();
    const width = Math.max(1, Math.round(h.length * ratio)), height = Math.max(1, Math.round(v.length * ratio));
    const { canvas } = this;
    if (canvas.width !== width || canvas.height !== height || !this.image) {
      canvas.width = width; canvas.height = height;
      this.image = canvas.getContext("2d").createImageData(width, height);
    }
    Object.assign(canvas.style, { left: `${h.begin}px`, top: `${v.begin}px`, width: `${h.length}px`, height: `${v.length}px` });
    const pixels = this.image.data;
    pixels.fill(255);
    const across = width / (h.high - h.low), down = height / (v.high - v.low);
    const shape = disc(this.size * ratio);
    // The chosen ones last, so that they lie on top.
    for (const chosen of this.mask ? [0, 1] : [1]) {
      const strength = chosen ? FULL : FAINT;
      for (let u = 0; u < this.x.length; u++) {
        if (this.mask && this.mask[u] !== chosen) continue;
        const px = Math.round((this.x[u] - h.low) * across), py = Math.round((v.high - this.y[u]) * down);
        if (px < shape.reach || py < shape.reach || px >= width - shape.reach || py >= height - shape.reach) continue;
        const red = this.colours[3 * u], green = this.colours[3 * u + 1], blue = this.colours[3 * u + 2];
        for (let k = 0; k < shape.x.length; k++) {
          const i = 4 * ((py + shape.y[k]) * width + px + shape.x[k]), a = strength * shape.cover[k];
          pixels[i] += (red - pixels[i]) * a;
          pixels[i + 1] += (green - pixels[i + 1]) * a;
          pixels[i + 2] += (blue - pixels[i + 2]) * a;
        }
      }
    }
    canvas.getContext("2d").putImageData(this.image, 0, 0);
    canvas.dataset.frames = String(Number(canvas.dataset.frames || 0) + 1);
  }

  /** The user nearest to a pixel of the plot, -1 where none is near. */
  nearest(left, top) {
    const [h, v] = this.axes();
    const across = h.length / (h.high - h.low), down = v.length / (v.high - v.low);
    let best = -1, least = NEAR * NEAR;
    for (let u = 0; u < this.x.length; u++) {
      const dx = h.begin + (this.x[u] - h.low) * across - left, dy = v.begin + (v.high - this.y[u]) * down - top;
      if (dx * dx + dy * dy < least) { least = dx * dx + dy * dy; best = u; }
    }
    return best;
  }

  /** Users in a polygon (corners x, y in the map's numbers), by the crossings of a ray. */
  within(xs, ys) {
    const found = [], n = xs.length;
    const [left, right] = [Math.min(...xs), Math.max(...xs)], [low, high] = [Math.min(...ys), Math.max(...ys)];
    for (let u = 0; u < this.x.length; u++) {
      const x = this.x[u], y = this.y[u];
      if (!(x >= left && x <= right && y >= low && y <= high)) continue;
      let inside = false;
      for (let i = 0, j = n - 1; i < n; j = i++) {
        if ((ys[i] > y) !== (ys[j] > y) && x < (xs[j] - xs[i]) * (y - ys[i]) / (ys[j] - ys[i]) + xs[i]) inside = !inside;
      }
      if (inside) found.push(u);
    }
    return found;
  }
}
