// Plots over steps: drag across a stretch to see it as wide as the plot; double-click, Escape or 0 shows all; keys do the same.
"use strict";

class Zoom {
  constructor(figure) {
    this.figure = figure;
    this.svg = figure.querySelector("svg");
    const frame = this.svg.querySelector("clipPath rect");
    this.left = Number(frame.getAttribute("x"));
    this.width = Number(frame.getAttribute("width"));
    [this.first, this.last] = [Number(figure.dataset.first), Number(figure.dataset.last)];
    this.marks = [...this.svg.querySelectorAll(".xtick")];
    this.lines = [...this.svg.querySelectorAll("[clip-path]")].filter((one) => !one.closest(".xtick, .ytick")).map(Zoom.inside);
    this.made = [];
    this.svg.addEventListener("pointerdown", (e) => this.begin(e));
    this.svg.addEventListener("dblclick", () => this.show(this.first, this.last));
    figure.addEventListener("keydown", (e) => this.key(e));
    [this.from, this.to] = [this.first, this.last];
  }

  // What is moved while its clip stays where it is.
  static inside(one) {
    if (one.tagName === "g") return one;
    const clip = document.createElementNS("http://www.w3.org/2000/svg", "g"), within = clip.cloneNode();
    clip.setAttribute("clip-path", one.getAttribute("clip-path"));
    one.removeAttribute("clip-path");
    one.replaceWith(clip);
    clip.append(within);
    within.append(one);
    return clip;
  }

  stepAt(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    const part = Math.min(1, Math.max(0, (point.x - this.left) / this.width));
    return this.from + part * (this.to - this.from);
  }

  begin(event) {
    const from = this.stepAt(event);
    this.svg.setPointerCapture(event.pointerId);
    this.svg.addEventListener("pointerup", (e) => {
      const to = this.stepAt(e), least = (this.to - this.from) / 50;
      if (Math.abs(to - from) > least) this.show(Math.min(from, to), Math.max(from, to));
    }, { once: true });
  }

  key(event) {
    const length = this.to - this.from, middle = (this.from + this.to) / 2;
    const ways = {
      "+": () => this.show(middle - length / 4, middle + length / 4), "-": () => this.show(middle - length, middle + length),
      ArrowLeft: () => this.move(-length / 4), ArrowRight: () => this.move(length / 4),
      0: () => this.show(this.first, this.last), Escape: () => this.show(this.first, this.last),
    };
    if (!(event.key in ways)) return;
    event.preventDefault();
    event.stopPropagation();
    ways[event.key]();
  }

  move(by) {
    const length = this.to - this.from, from = Math.min(Math.max(this.from + by, this.first), this.last - length);
    this.show(from, from + length);
  }

  show(from, to) {
    [this.from, this.to] = [Math.max(from, this.first), Math.min(to, this.last)];
    const scale = (this.last - this.first) / (this.to - this.from);
    const shift = this.left - (this.left + this.width * (this.from - this.first) / (this.last - this.first)) * scale;
    for (const line of this.lines)
      for (const part of line.children) part.setAttribute("transform", `matrix(${scale} 0 0 1 ${shift} 0)`);
    this.figure.classList.toggle("zoomed", scale > 1);
    this.mark(scale > 1);
  }

  // Marks of the axis at round steps, made of its first.
  mark(zoomed) {
    this.made.forEach((one) => one.remove());
    this.made = [];
    if (!zoomed) return;
    const size = 10 ** Math.floor(Math.log10((this.to - this.from) / 4)), place = Number(this.marks[0].querySelector("use").getAttribute("x"));
    const round = [1, 2, 5, 10].map((by) => by * size).find((by) => (this.to - this.from) / by <= 6);
    for (let at = Math.ceil(this.from / round) * round; at <= this.to; at += round) {
      const one = this.marks[0].cloneNode(true);
      one.classList.replace("xtick", "made");
      one.querySelector("text").textContent = Number(at.toPrecision(12)).toLocaleString("en");
      one.setAttribute("transform", `translate(${this.left + this.width * (at - this.from) / (this.to - this.from) - place} 0)`);
      this.marks[0].after(one);
      this.made.push(one);
    }
  }
}

document.querySelectorAll("figure.zoom").forEach((figure) => { figure.zoom = new Zoom(figure); });
