// Flame graphs: click or press Enter to see one box as wide as the graph; Escape shows all; arrows walk; words are sought.
"use strict";

class Flame {
  constructor(figure) {
    this.svg = figure.querySelector("svg");
    this.boxes = [...this.svg.children].map((box) => ({
      box, start: parseFloat(box.getAttribute("x")), width: parseFloat(box.getAttribute("width")), row: Number(box.getAttribute("y")),
    }));
    this.told = figure.querySelector("output");
    this.current = this.boxes[0];
    this.current.box.tabIndex = 0;
    this.svg.addEventListener("click", (e) => this.at(e, (one) => this.zoom(one)));
    this.svg.addEventListener("focusin", (e) => this.at(e, (one) => this.tell(one)));
    this.svg.addEventListener("pointerover", (e) => this.at(e, (one) => this.tell(one)));
    this.svg.addEventListener("keydown", (e) => this.key(e));
    figure.querySelector("input").addEventListener("input", (e) => this.seek(e.target.value.trim().toLowerCase()));
  }

  at(event, act) {
    const box = event.target.closest("svg svg"), one = box && this.boxes.find((other) => other.box === box);
    if (one) act(one);
  }

  tell(one) { this.told.textContent = one.box.querySelector("title").textContent; }

  key(event) {
    const { row, start, width } = this.current, end = start + width;
    const shown = this.boxes.filter((one) => one.box.style.display !== "none");
    const on = (wanted) => shown.filter((one) => one.row === wanted);
    const ways = {
      ArrowDown: () => on(row + FLAME_ROW).find((one) => one.start >= start - NEAR && one.start < end),
      ArrowUp: () => on(row - FLAME_ROW).find((one) => one.start <= start + NEAR && one.start + one.width >= end - NEAR),
      ArrowRight: () => on(row).find((one) => one.start >= end - NEAR),
      ArrowLeft: () => on(row).filter((one) => one.start < start - NEAR).pop(),
      Enter: () => this.zoom(this.current), " ": () => this.zoom(this.current), Escape: () => this.zoom(this.boxes[0]),
    };
    if (!(event.key in ways)) return;
    event.preventDefault();
    event.stopPropagation();
    this.goTo(ways[event.key]());
  }

  goTo(one) {
    if (!one) return;
    this.current.box.tabIndex = -1;
    this.current = one;
    one.box.tabIndex = 0;
    one.box.focus();
  }

  zoom(to) {
    const end = to.start + to.width;
    for (const one of this.boxes) {
      const holds = one.start <= to.start + NEAR && one.start + one.width >= end - NEAR;
      const inside = one.start >= to.start - NEAR && one.start + one.width <= end + NEAR;
      one.box.style.display = holds || inside ? "" : "none";
      const all = holds && one.row <= to.row;
      one.box.setAttribute("x", `${all ? 0 : 100 * (one.start - to.start) / to.width}%`);
      one.box.setAttribute("width", `${all ? 100 : 100 * one.width / to.width}%`);
    }
    this.goTo(to);
  }

  seek(words) {
    for (const { box } of this.boxes)
      box.classList.toggle("hit", words !== "" && box.querySelector("text").textContent.toLowerCase().includes(words));
  }
}

const FLAME_ROW = 18, NEAR = 1e-3;                             // pixels; per cent that rounding may move a box by
document.querySelectorAll("figure.flame").forEach((figure) => new Flame(figure));
