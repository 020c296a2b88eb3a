"use strict";
// Days of users as strips of 24 hours; with nobody selected, how many rows there are at each time of day.

const DAY = 1440, ROW = 20, HEAD = 16, LEFT = 108, PROFILE = 84, MOST_STRIPS = 60, TINY = 3;

class Strip {
  constructor(canvas, view) { Object.assign(this, { canvas, view, rows: [], boxes: [] }); new ResizeObserver(() => this.draw()).observe(canvas.parentElement); }

  /** Rows (layer, user, day, first and last record) to draw. */
  show(rows, profile) { this.rows = rows; this.profile = profile; this.draw(); }

  draw() {
    const { canvas, rows, profile, view } = this, wide = Math.max(200, canvas.parentElement.clientWidth - 2);
    const tall = HEAD + (profile ? PROFILE : 0) + ROW * rows.length + 2, ratio = Math.min(2, window.devicePixelRatio || 1);
    canvas.style.height = `${tall}px`;
    canvas.width = Math.round(wide * ratio); canvas.height = Math.round(tall * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = "12px system-ui, 'DejaVu Sans', sans-serif"; context.textBaseline = "middle";
    this.left = rows.length ? LEFT : 34; this.wide = wide - this.left - 8; this.boxes = [];
    context.strokeStyle = css("--line"); context.fillStyle = css("--dim"); context.textAlign = "center";
    for (let hour = 0; hour <= 24; hour += 3) {
      const x = this.left + hour / 24 * this.wide;
      context.fillText(`${hour}`, x, HEAD / 2);
      context.beginPath(); context.moveTo(x + 0.5, HEAD); context.lineTo(x + 0.5, tall); context.stroke();
    }
    if (profile) this.drawProfile(context, profile);
    rows.forEach((row, at) => this.drawRow(context, row, HEAD + (profile ? PROFILE : 0) + at * ROW));
    canvas.setAttribute("aria-label", rows.length ? rows.map((row) => row.text).join("; ") : "Records by time of day");
    view.drawnStrips = rows.length;
  }

  drawProfile(context, { kinds, counts, most }) {
    const step = this.wide / 48, high = PROFILE - 8;
    for (let slot = 0; slot < 48; slot++) {
      let base = HEAD + high + 2;
      kinds.forEach((colour, k) => {
        const tall = counts[k][slot] / Math.max(1, most) * high;
        context.fillStyle = `rgb(${colour})`;
        context.fillRect(this.left + slot * step + 0.5, base - tall, step - 1, tall);
        base -= tall;
      });
    }
    context.fillStyle = css("--dim"); context.textAlign = "right";
    context.fillText(short(most), this.left - 4, HEAD + 8); context.fillText("0", this.left - 4, HEAD + high);
  }

  drawRow(context, row, top) {
    const { view } = this, { D } = view;
    context.fillStyle = css("--ink"); context.textAlign = "right";
    context.fillText(row.text, this.left - 6, top + ROW / 2, this.left - 10);
    for (let i = row.first; i < row.last; i++) {
      const start = D.start[i], end = Math.max(D.end[i], start), x = this.left + start / DAY * this.wide;
      const wide = Math.max(TINY, (Math.min(end, DAY) - start) / DAY * this.wide - 0.5);
      context.globalAlpha = view.level[i] ? 1 : 0.15;
      context.fillStyle = `rgb(${view.colours[3 * i]},${view.colours[3 * i + 1]},${view.colours[3 * i + 2]})`;
      context.fillRect(x, top + 2, wide, ROW - 4);
      this.boxes.push([x, top, wide, i]);
    }
    context.globalAlpha = 1;
  }

  /** The record at a pixel of the canvas, -1 for none. */
  at(left, top) {
    const box = this.boxes.find(([x, y, wide]) => left >= x - 1 && left <= x + wide + 1 && top >= y && top < y + ROW);
    return box ? box[3] : -1;
  }
}

const short = (n) => (n >= 1e6 ? `${+(n / 1e6).toFixed(1)}M` : n >= 1e4 ? `${Math.round(n / 1e3)}k` : `${n}`);
