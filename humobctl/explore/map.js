"use strict";
// The users as points on a canvas below plotly's axes, which give zoom, lasso, box and keys.

const NEAR = 8;

class Points {
  /** Points of places ``x, y`` (Float32Array) in colours (Uint8Array, red green blue) on a canvas. */
  constructor(plot, canvas) {
    Object.assign(this, { plot, canvas, pixels: new Pixels(canvas), x: [], y: [], colours: [], chosen: null, size: 3, waiting: false });
  }

  set(x, y, colours, size) { Object.assign(this, { x, y, colours, size }); this.draw(); }

  choose(users) {
    this.chosen = null;
    if (users.length) { this.chosen = new Uint8Array(this.x.length).fill(1); for (const u of users) this.chosen[u] = 2; }
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
    Object.assign(this.canvas.style, { left: `${h.begin}px`, top: `${v.begin}px`, width: `${h.length}px`, height: `${v.length}px` });
    this.pixels.resize(width, height);
    this.pixels.paint({
      x: this.x, y: this.y, colours: this.colours, level: this.chosen, size: this.size * ratio,
      left: h.low, top: v.high, across: width / (h.high - h.low), down: height / (v.high - v.low),
    });
  }

  /** The user nearest to a pixel of the plot, -1 where none is near. */
  nearest(left, top) {
    const [h, v] = this.axes(), across = (h.high - h.low) / h.length, down = (v.high - v.low) / v.length;
    return nearestPoint({ x: this.x, y: this.y }, h.low + (left - h.begin) * across, v.high - (top - v.begin) * down, NEAR * across, NEAR * down);
  }

  /** Users in a polygon (corners x, y in the map's numbers). */
  within(xs, ys) { return pointsWithin({ x: this.x, y: this.y }, xs, ys); }
}
