// The map of a lane's heap on a canvas: strips in rows of so many bytes, only what is in view.
"use strict";

const ROW = 18, GAP = 3, LABEL = 20, LEAST = 128, MOST = 1 << 26;

function colours() {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(name).trim();
  return { used: value("--used"), own: value("--own"), cached: value("--cached"), fresh: value("--card"), free: value("--free"), edge: value("--free-edge"), text: value("--on-used"),
           ink: value("--ink"), faint: value("--faint"), overhead: value("--overhead"), mark: value("--mark"), link: value("--link") };
}

class HeapMap {
  constructor(box, lane, onPick) {
    this.box = box;
    this.lane = lane;
    this.canvas = box.querySelector("canvas");
    this.scroller = box.querySelector(".scroller");
    this.spacer = box.querySelector(".spacer");
    this.picked = null;                                  // address of the block that is looked at
    this.bytesPerRow = 4096;
    this.scroller.addEventListener("scroll", () => { this.measure(); this.draw(); });
    this.canvas.addEventListener("mousemove", (e) => onPick(this, this.addressAt(e.offsetX, e.offsetY), false));
    this.canvas.addEventListener("click", (e) => onPick(this, this.addressAt(e.offsetX, e.offsetY), true));
  }

  // Reads what the browser would have to lay out again after each change of the page.
  measure() {
    this.width = this.scroller.clientWidth;
    this.height = this.scroller.clientHeight;
    this.top = this.scroller.scrollTop;
  }

  show(step, bytesPerRow) {
    this.state = this.lane.seek(step);
    this.bytesPerRow = bytesPerRow;
    this.layOut();
    this.draw();
  }

  rowsOf(strip) { return Math.ceil((this.endOf(strip) - strip.start) / this.bytesPerRow); }

  // Where what is drawn of a strip ends: of a run, the row in which the last slot ends that was handed out.
  endOf(strip) {
    if (strip.kind < SLOTS) return strip.end;
    const rows = Math.max(1, Math.ceil((this.freshFrom(strip) - strip.start) / this.bytesPerRow));
    return Math.min(strip.end, strip.start + rows * this.bytesPerRow);
  }

  // Pixels down to the last used block of each strip, or slot; what is free behind it need not be seen whole.
  heightAt(bytesPerRow) {
    return this.state.strips.reduce((sum, s) => {
      if (!s) return sum;
      let last = s.addr.length - 1;
      while (s.kind < SLOTS && last >= 0 && !(s.flag[last] & USED)) last -= 1;
      const end = last >= 0 ? s.addr[last] + s.size[last] - s.start : 0;
      return sum + LABEL + (Math.floor(end / bytesPerRow) + 1) * (ROW + GAP);
    }, 0);
  }

  layOut() {
    this.places = [];
    let y = 0;
    const order = this.state.strips.filter((s) => s).sort((a, b) => (a.arena < 0) - (b.arena < 0) || a.arena - b.arena || a.start - b.start);
    for (const strip of order) {
      this.places.push({ strip, y });
      y += LABEL + this.rowsOf(strip) * (ROW + GAP);
    }
    const beyond = `${Math.max(0, y + 4 - this.height)}px`;
    if (this.beyond === beyond) return;
    this.spacer.style.height = this.beyond = beyond;
    this.measure();                                      // a scroll bar may have come or gone
  }

  draw() {
    if (!this.state) return;
    const ratio = window.devicePixelRatio || 1, { width, height } = this;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const ctx = this.ctx = this.canvas.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    this.colour = HeapMap.colours ??= colours();
    for (const place of this.places) this.drawStrip(place, height);
    if (!this.places.length) this.say("nothing yet: the heap opens at the first allocation", 8, 24, this.colour.faint);
    this.drawLinks();
  }

  say(text, x, y, colour) {
    this.ctx.fillStyle = colour;
    this.ctx.font = "12px system-ui, sans-serif";
    this.ctx.fillText(text, x, y);
  }

  drawStrip({ strip, y }, height) {
    const rows = this.rowsOf(strip), first = y + LABEL - this.top;
    if (first + rows * (ROW + GAP) < 0 || y - this.top > height) return;
    this.say(this.title(strip), 1, y + 14 - this.top, this.colour.faint);
    const from = Math.max(0, Math.floor(-first / (ROW + GAP)));
    const to = Math.min(rows, Math.ceil((height - first) / (ROW + GAP)) + 1);
    const start = strip.start + from * this.bytesPerRow, end = Math.min(this.endOf(strip), strip.start + to * this.bytesPerRow);
    const paths = Object.fromEntries(["used", "cached", "free", "edge", "cachedEdge", "overhead", "fresh", "touched"].map((n) => [n, new Path2D()]));
    this.each(strip, first, start, end, (x, top, w) => paths.overhead.rect(x, top, w, ROW));
    if (strip.kind >= SLOTS) this.each(strip, first, Math.max(start, this.freshFrom(strip)), end, (x, top, w) => paths.fresh.rect(x + 0.5, top + 0.5, w - 1, ROW - 1));
    const words = [];
    for (let i = Math.max(0, this.firstIn(strip, start)); i < strip.addr.length && strip.addr[i] < end; i++) this.place(strip, i, first, paths, words);
    this.paint(strip, paths, words);
  }

  title(strip) {
    const size = human(strip.end - strip.start);
    if (strip.kind === SLOTS) {
      const n = slotsOf(strip);
      return `arena ${strip.arena} · ${strip.slot} B slots · ${n.out} out, ${n.cached} cached, ${n.back} back of ${n.all}`;
    }
    if (strip.kind >= POOLED) return `a run that nobody has · ${size}${strip.kind > POOLED ? ", its pages are the system's" : ""}`;
    const own = strip.flag[0] & USED ? "a block with its own mapping" : "a mapping that is kept";
    return `${strip.arena < 0 ? own : `arena ${strip.arena} · ${KINDS[strip.kind]}`} · ${size}`;
  }

  // Where what was never handed out of a run begins.
  freshFrom(strip) {
    const last = strip.addr.length - 1;
    return last < 0 ? strip.start : strip.addr[last] + strip.size[last];
  }

  firstIn(strip, start) {
    const found = blockAt(strip, start);
    return found >= 0 ? found : strip.addr.findIndex((a) => a >= start);
  }

  // Calls `take(x, y, width)` for each piece of [start, end) that a row holds.
  each(strip, first, start, end, take) {
    const scale = this.width / this.bytesPerRow;
    for (let at = start; at < end;) {
      const offset = at - strip.start, row = Math.floor(offset / this.bytesPerRow);
      const stop = Math.min(end, strip.start + (row + 1) * this.bytesPerRow);
      take((offset - row * this.bytesPerRow) * scale, first + row * (ROW + GAP), (stop - at) * scale);
      at = stop;
    }
  }

  place(strip, i, first, paths, words) {
    const low = strip.addr[i], used = strip.flag[i] & USED, cached = used && strip.kind === SLOTS && strip.flag[i] & CACHED;
    const [fill, edge] = cached ? [paths.cached, paths.cachedEdge] : used ? [paths.used, null] : [paths.free, paths.edge];
    const high = strip.addr[i] + strip.size[i];
    let said = false;
    this.each(strip, first, this.clipped(strip, low, first), Math.min(high, this.limit(strip, first)), (x, y, w) => {
      const inset = w > 4 ? 1 : 0;
      fill.rect(x, y, w - inset, ROW);
      if (edge && w > 5) edge.rect(x + 0.5, y + 0.5, w - inset - 1, ROW - 1);
      if (this.lane.marks(strip.addr[i], this.state)) paths.touched.rect(x + 1, y + 1, Math.max(2, w - inset - 2), ROW - 2);
      const word = said || w < 22 ? "" : this.lane.label(strip, i);
      if (word && w > 8 + 7 * word.length) { words.push([word, x + 4, y + 13, used && !cached]); said = true; }
    });
  }

  // A block may be larger than the view: only the rows in view are gone through.
  clipped(strip, low, first) {
    const hidden = Math.max(0, Math.floor(-first / (ROW + GAP)));
    return Math.max(low, strip.start + hidden * this.bytesPerRow);
  }

  limit(strip, first) {
    const rows = Math.ceil((this.height - first) / (ROW + GAP)) + 1;
    return strip.start + Math.max(0, rows) * this.bytesPerRow;
  }

  paint(strip, paths, words) {
    const ctx = this.ctx, c = this.colour;
    for (const [path, fill] of [[paths.overhead, c.overhead], [paths.fresh, c.fresh], [paths.free, c.free], [paths.cached, c.cached],
                                [paths.used, strip.kind === OWN ? c.own : c.used]]) {
      ctx.fillStyle = fill;
      ctx.fill(path);
    }
    ctx.lineWidth = 1;
    for (const [path, stroke] of [[paths.fresh, c.overhead], [paths.edge, c.edge], [paths.cachedEdge, c.used]]) {
      ctx.strokeStyle = stroke;
      ctx.stroke(path);
    }
    ctx.lineWidth = 2.5;
    ctx.strokeStyle = c.mark;
    ctx.stroke(paths.touched);
    ctx.font = "11px ui-monospace, monospace";
    for (const [word, x, y, used] of words) {
      ctx.fillStyle = used ? c.text : c.ink;
      ctx.fillText(word, x, y);
    }
  }

  // Where a block is drawn, its first piece: [x, y, width]; undefined if nowhere.
  spot(address) {
    for (const { strip, y } of this.places) {
      const piece = pieceAt(strip, address);
      if (!piece) continue;
      let found;
      const first = y + LABEL - this.top;
      this.each(strip, first, piece.at, piece.at + 1, (x, top) => { found ??= [x, top, Math.max(4, piece.size * this.width / this.bytesPerRow)]; });
      return found;
    }
    return undefined;
  }

  drawLinks() {
    const here = this.picked !== null && this.spot(this.picked), ctx = this.ctx;
    if (!here) return;
    ctx.strokeStyle = ctx.fillStyle = this.colour.link;
    ctx.lineWidth = 2;
    ctx.strokeRect(here[0] + 1, here[1] - 1, Math.min(here[2], this.width - here[0] - 2), ROW + 2);
    const { next, prev } = this.links(this.picked);
    for (const [other, dash] of [[next, []], [prev, [5, 4]]]) {
      const there = other && this.spot(other);
      if (!there) continue;
      const [x1, y1, x2, y2] = [here[0] + 6, here[1] + ROW / 2, there[0] + 6, there[1] + ROW / 2];
      ctx.setLineDash(dash);
      ctx.beginPath();
      ctx.moveTo(x1, y1);
      ctx.quadraticCurveTo((x1 + x2) / 2 + 24, (y1 + y2) / 2 - 24, x2, y2);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.arc(x2, y2, 4, 0, 7);
      ctx.fill();
    }
  }

  links(address) {
    for (const list of Object.values(this.state.lists)) {
      const i = list.indexOf(address);
      if (i >= 0) return { next: list[i + 1] || 0, prev: list[i - 1] || 0, rank: i, length: list.length };
    }
    return {};
  }

  addressAt(x, y) {
    for (const { strip, y: top } of this.places) {
      const row = Math.floor((y + this.top - top - LABEL) / (ROW + GAP));
      if (row < 0 || row >= this.rowsOf(strip)) continue;
      const address = strip.start + row * this.bytesPerRow + x * this.bytesPerRow / this.width;
      return pieceAt(strip, address)?.at ?? null;
    }
    return null;
  }

  // The address of the block `by` places after the one that is looked at.
  neighbour(by) {
    const all = this.places.flatMap(({ strip }) => strip.addr);
    const at = all.indexOf(this.picked);
    return all.length ? all[at < 0 ? 0 : (at + by + all.length) % all.length] : null;
  }

  reveal(address) {
    const spot = this.spot(address);
    if (spot && (spot[1] < 0 || spot[1] > this.height - ROW)) this.scroller.scrollTop += spot[1] - 60;
    this.measure();
  }
}
