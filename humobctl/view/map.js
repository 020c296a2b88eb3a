"use strict";
// The map: where it stands, what lies below, the points, and what is drawn over them.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const RADIUS = 6371008.8, NEAR = 9, TILE = 256, SLOW = 16, SLICE = 10, REST = 120;

class Plan {
  /** A map on three canvases in a stage; it calls ``hooks`` for what is drawn where. */
  constructor(stage, hooks) {
    Object.assign(this, { stage, hooks, below: $("below"), over: $("over"), pixels: new Pixels($("dots")), x: 0, y: 0, scale: 1, waiting: false, cost: 0, shot: null, job: null, timer: 0 });
    new ResizeObserver(() => this.resize()).observe(stage);
    this.resize();
  }

  resize() {
    const box = this.stage.getBoundingClientRect();
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    this.width = Math.max(1, box.width); this.height = Math.max(1, box.height);
    for (const canvas of [this.below, this.over]) { canvas.width = Math.round(this.width * this.ratio); canvas.height = Math.round(this.height * this.ratio); }
    this.pixels.resize(Math.round(this.width * this.ratio), Math.round(this.height * this.ratio));
    this.draw();
  }

  /** Show a box of the plane, with a margin. */
  fit([left, right, low, high]) {
    this.x = (left + right) / 2; this.y = (low + high) / 2;
    const wide = Math.max(right - left, 200), tall = Math.max(high - low, 200);
    this.scale = 0.92 * Math.min(this.width / wide, this.height / tall);
    this.draw();
  }

  /** Pixels of the stage of a place, and the way back. */
  at(x, y) { return [(x - this.x) * this.scale + this.width / 2, this.height / 2 - (y - this.y) * this.scale]; }
  place(left, top) { return [this.x + (left - this.width / 2) / this.scale, this.y - (top - this.height / 2) / this.scale]; }

  zoom(factor, left = this.width / 2, top = this.height / 2) {
    const [x, y] = this.place(left, top);
    this.scale = Math.min(20, Math.max(1e-6, this.scale * factor));
    this.x = x - (left - this.width / 2) / this.scale;
    this.y = y + (top - this.height / 2) / this.scale;
    this.move();
  }

  pan(right, down) { this.x -= right / this.scale; this.y += down / this.scale; this.move(); }

  /** Draw while the map moves: where a whole picture takes long, the last one is moved first. */
  move() { this.moving = true; this.draw(); clearTimeout(this.timer); this.timer = setTimeout(() => { this.moving = false; this.draw(); }, REST); }

  /** Draw at the next frame, however often it is asked for until then. */
  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
  }

  /** A whole picture; where that takes long, bit by bit, and it is shown when it is done. */
  paint() {
    const { points } = this.hooks, scale = this.scale * this.ratio;
    if (!points) return;
    this.job = null;
    if (this.moving && this.cost > SLOW && this.shot) { this.paintMoved(); return; }
    const begin = performance.now();
    const job = this.pixels.begin({ ...points, size: points.size * this.ratio, left: this.x - this.width / 2 / this.scale, top: this.y + this.height / 2 / this.scale, across: scale, down: scale });
    this.job = Object.assign(job, { cost: performance.now() - begin, place: { x: this.x, y: this.y, scale: this.scale } });
    this.goOn(job, this.shot && this.cost > SLOW ? begin + SLICE : Infinity);
  }

  goOn(job, until) {
    if (this.job !== job) return;
    const begin = performance.now(), done = this.pixels.advance(job, until);
    job.cost += performance.now() - begin;
    if (done) this.finish(job);
    else requestAnimationFrame(() => this.goOn(job, performance.now() + SLICE));
  }

  finish(job) {
    const begin = performance.now();
    for (const canvas of [this.below, this.pixels.canvas]) canvas.style.transform = "";
    this.hooks.below(this.context(this.below));
    this.pixels.show();
    this.shot = job.place; this.job = null;
    this.cost = job.cost + performance.now() - begin;
    this.paintOver();
    document.body.dataset.drawn = String(Number(document.body.dataset.drawn || 0) + 1);
  }

  /** The last whole picture at its place now. */
  paintMoved() {
    const { shot } = this, by = this.scale / shot.scale;
    const right = (shot.x - this.x) * this.scale, down = (this.y - shot.y) * this.scale;
    for (const canvas of [this.below, this.pixels.canvas]) canvas.style.transform = `translate(${right}px, ${down}px) scale(${by})`;
    this.paintOver();
  }

  paintOver() {
    const context = this.context(this.over);
    this.hooks.over(context);
    this.paintScale();
  }

  context(canvas) {
    const context = canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }

  /** True metres of a map metre in the middle of the map. */
  stretch() {
    const { plane } = this.hooks;
    if (plane.cell_km) return 1;
    const north = RADIUS * Math.log(Math.tan(Math.PI / 4 + plane.lat * Math.PI / 360)) + this.y;
    return Math.cos(2 * Math.atan(Math.exp(north / RADIUS)) - Math.PI / 2);
  }

  paintScale() {
    const metres = 90 / this.scale * this.stretch(), power = 10 ** Math.floor(Math.log10(metres));
    const round = [5, 2, 1].map((n) => n * power).find((n) => n <= metres) || power;
    const [bar, text] = $("scale").children;
    bar.style.width = `${round / this.stretch() * this.scale}px`;
    text.textContent = round >= 1000 ? `${count(round / 1000)} km` : `${round} m`;
  }

  /** Lines: ends of each among points x, y; drawn in the colour and width that are set. */
  trace(context, lines, from, to) {
    const { scale } = this, left = this.width / 2 - this.x * scale, top = this.height / 2 + this.y * scale;
    for (let i = from; i < to; i++) {
      let pen = false;
      for (let k = i ? lines.ends[i - 1] : 0; k < lines.ends[i]; k++) {
        const px = lines.x[k] * scale + left, py = top - lines.y[k] * scale;
        if (pen) context.lineTo(px, py); else context.moveTo(px, py);
        pen = true;
      }
    }
  }

  /** Pictures of a tile server below, where one was asked for. */
  tiles(context, url) {
    const { plane } = this.hooks, round = 2 * Math.PI * RADIUS;
    const west = plane.lon / 360 * round, north = RADIUS * Math.log(Math.tan(Math.PI / 4 + plane.lat * Math.PI / 360));
    const level = Math.max(0, Math.min(19, Math.round(Math.log2(round * this.scale / TILE)))), side = round / 2 ** level;
    const [left, top] = this.place(0, 0), [right, low] = this.place(this.width, this.height);
    this.kept ||= new Map();
    for (let i = Math.floor((left + west + round / 2) / side); i <= (right + west + round / 2) / side; i++) {
      for (let j = Math.max(0, Math.floor((round / 2 - top - north) / side)); j <= Math.min(2 ** level - 1, (round / 2 - low - north) / side); j++) {
        const wrapped = ((i % 2 ** level) + 2 ** level) % 2 ** level;
        const address = url.replace("{z}", level).replace("{x}", wrapped).replace("{y}", j);
        let image = this.kept.get(address);
        if (!image) {
          image = new Image(); image.referrerPolicy = "no-referrer"; image.onload = () => this.draw(); image.src = address;
          this.kept.set(address, image);
          if (this.kept.size > 400) this.kept.delete(this.kept.keys().next().value);
        }
        if (!image.complete || !image.naturalWidth) continue;
        const [px, py] = this.at(i * side - round / 2 - west, round / 2 - j * side - north);
        context.drawImage(image, px, py, side * this.scale + 0.5, side * this.scale + 0.5);
      }
    }
  }

  /** Pointer, wheel, touch and keys. */
  listen() {
    const { over } = this, down = new Map();
    let drawn = null, moved = 0;
    const where = (event) => { const box = over.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    const spread = () => { const [a, b] = [...down.values()]; return [Math.hypot(a[0] - b[0], a[1] - b[1]), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2]; };
    over.addEventListener("pointerdown", (event) => {
      over.setPointerCapture(event.pointerId); down.set(event.pointerId, where(event)); moved = 0;
      drawn = (this.lassoing || event.shiftKey) && down.size === 1 ? [this.place(...where(event))] : null;
    });
    over.addEventListener("pointermove", (event) => {
      const [left, top] = where(event), before = down.get(event.pointerId);
      if (!before) { this.hooks.hover(left, top); return; }
      moved += Math.hypot(left - before[0], top - before[1]);
      if (drawn) { drawn.push(this.place(left, top)); this.lasso = drawn; this.paintOver(); down.set(event.pointerId, [left, top]); return; }
      if (down.size === 2) {
        const was = spread(); down.set(event.pointerId, [left, top]); const is = spread();
        this.pan(is[1] - was[1], is[2] - was[2]); this.zoom(is[0] / Math.max(1, was[0]), is[1], is[2]); return;
      }
      down.set(event.pointerId, [left, top]); this.hooks.hover(-1, -1); this.pan(left - before[0], top - before[1]);
    });
    const up = (event) => {
      if (!down.delete(event.pointerId)) return;
      this.lasso = null;
      if (drawn && moved > 8) this.hooks.lassoed(drawn.map((p) => p[0]), drawn.map((p) => p[1]));
      else if (moved <= 4) this.hooks.clicked(...where(event));
      drawn = null; this.draw();
    };
    for (const name of ["pointerup", "pointercancel"]) over.addEventListener(name, up);
    over.addEventListener("pointerleave", () => this.hooks.hover(-1, -1));
    over.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...where(event)); }, { passive: false });
    over.addEventListener("dblclick", (event) => this.zoom(2, ...where(event)));
    const keys = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    over.addEventListener("keydown", (event) => { if (keys[event.key]) { event.preventDefault(); this.pan(...keys[event.key]); } });
  }
}
