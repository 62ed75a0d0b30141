// Travelling: one step for all lanes; buttons, keys, the slider and the address of the page.
"use strict";

class Travel {
  constructor(section) {
    this.section = section;
    this.step = 0;
    this.zoom = 0;                                       // bytes a row; 0: as much as fits
    this.fitted = LEAST;
    this.playing = null;
    this.find = (name) => section.querySelector(`[data-part="${name}"]`);
    section.querySelectorAll("[data-do]").forEach((b) => b.addEventListener("click", () => this.act(b.dataset.do)));
    this.find("slider").addEventListener("input", (e) => this.go(Number(e.target.value)));
    this.find("number").addEventListener("change", (e) => this.go(Number(e.target.value)));
    this.find("journey").addEventListener("change", (e) => this.load(e.target.value, null));
    document.addEventListener("keydown", (e) => this.key(e));
    window.addEventListener("resize", () => this.draw());
    window.addEventListener("hashchange", (e) => this.followLink(new URL(e.newURL).hash));
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { HeapMap.colours = null; this.draw(); this.drawOverview(); });
    new IntersectionObserver((seen) => { if (seen.some((s) => s.isIntersecting)) this.draw(); }).observe(section);
  }

  // Where a hash leads: that of the event, as the page's own may by then be that of the step before, settled.
  async followLink(hash) {
    const wanted = new URLSearchParams(hash.slice(1));
    if (!wanted.has("step") && !wanted.has("heap") && this.journey) return;
    const step = wanted.has("step") ? Number(wanted.get("step")) : null, heap = wanted.get("heap") || this.name || this.find("journey").value;
    if (heap === this.name) this.go(step ?? this.step);
    else await this.load(heap, step);
    if (wanted.has("step")) this.section.scrollIntoView();
  }

  async load(name, step) {
    const data = document.querySelector(`script[data-heap="${CSS.escape(name)}"]`);
    if (!data) return;
    this.stop();
    this.name = name;
    this.find("journey").value = name;
    this.journey = await unpack(data.textContent);
    this.fitted = LEAST;
    this.makePanels();
    this.find("slider").max = this.find("number").max = this.find("total").textContent = this.journey.steps.length;
    this.find("note").textContent = this.journey.note;
    this.drawOverview();
    this.go(step ?? this.journey.marks[0]?.step ?? this.journey.steps.length / 2);
    this.section.dataset.ready = name;
  }

  makePanels() {
    const panels = this.find("panels"), form = document.getElementById("panel");
    panels.replaceChildren();
    this.maps = this.journey.lanes.map((data) => {
      const box = form.content.firstElementChild.cloneNode(true);
      box.querySelector("h3").textContent = data.name;
      box.querySelector(".scroller").setAttribute("aria-label", `the heap on ${data.name}`);
      panels.append(box);
      const lane = new Lane(data);
      lane.marks = (address, state) => state.touched.has(address);
      lane.label = (strip, i) => this.labelOf(strip, i);
      const map = new HeapMap(box, lane, (m, address, keep) => this.pick(m, address, keep));
      box.addEventListener("focusin", () => { this.focused = map; });
      return map;
    });
    this.focused = this.maps[0];
    const hasRuns = this.journey.lanes.some((lane) => lane.changes.some((step) => step.some((change) => change[0] === ADDED && change[2] >= SLOTS)));
    this.section.querySelectorAll("[data-of-runs]").forEach((item) => { item.hidden = !hasRuns; });
  }

  // The name that the step which made a block gave it, and its size.
  labelOf(strip, i) {
    const text = this.journey.steps[strip.since[i] - 1] || "", name = /^(\w+) =/.exec(text);
    const named = strip.kind === SLOTS ? slotState(strip.flag[i]) === "out" : strip.flag[i] & USED;
    return named && name ? `${name[1]} ${strip.size[i]}` : `${strip.size[i]}`;
  }

  go(step) {
    if (!this.journey) return;
    this.step = Math.max(0, Math.min(this.journey.steps.length, Math.round(step) || 0));
    this.find("slider").value = this.find("number").value = this.step;
    this.draw();
    this.tell();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => history.replaceState(null, "", `#heap=${encodeURIComponent(this.name)}&step=${this.step}`), 150);
  }

  draw() {
    if (!this.journey) return;
    for (const map of this.maps) {
      map.measure();
      map.state = map.lane.seek(this.step);
    }
    if (!this.maps[0].width) return;
    // It fits, or would not fit better: each strip has one row already.
    const fits = (m) => m.heightAt(this.fitted) <= m.height || m.heightAt(2 * this.fitted) === m.heightAt(this.fitted);
    while (!this.zoom && this.fitted < MOST && !this.maps.every(fits)) this.fitted *= 2;
    for (const map of this.maps) map.show(this.step, this.zoom || this.fitted);
    for (const map of this.maps) this.figures(map);
    this.find("scale").textContent = `${human(this.zoom || this.fitted)} a row`;
  }

  figures(map) {
    const f = figuresOf(map.state), outside = f.free ? 1 - f.largest / f.free : 0;
    const values = { used: `${human(f.used)} in ${f.usedBlocks}`, free: `${human(f.free)} in ${f.freeBlocks}`, held: human(f.held),
                     largest: human(f.largest), fragmentation: `${(100 * outside).toFixed(1)} %` };
    for (const [name, value] of Object.entries(values)) map.box.querySelector(`[data-figure="${name}"]`).textContent = value;
    const failed = map.lane.problem && this.step >= map.lane.ends;
    map.box.classList.toggle("failed", Boolean(failed));
    const ended = this.step > map.lane.ends ? `ended at step ${map.lane.ends}` : "";
    map.box.querySelector(".problem").textContent = failed ? `✗ step ${map.lane.ends}: ${map.lane.problem}` : ended;
  }

  tell() {
    const { steps, marks } = this.journey, list = this.find("steps");
    const from = Math.max(0, Math.min(this.step - 3, steps.length - 5)), to = Math.min(steps.length, from + 5);
    list.replaceChildren(...steps.slice(from, to).map((text, i) => {
      const item = document.createElement("li"), number = from + i + 1, mark = marks.filter((m) => m.step === number);
      item.value = number;
      item.textContent = [text, ...mark.map((m) => `✗ ${m.text}`)].join("   ");
      item.classList.toggle("current", number === this.step);
      item.classList.toggle("marked", mark.length > 0);
      if (number === this.step) item.setAttribute("aria-current", "step");
      item.addEventListener("click", () => this.go(number));
      return item;
    }));
    this.find("now").textContent = this.step ? `step ${this.step}: ${steps[this.step - 1]}` : "before the first step";
    if (this.keptMap) this.describe();
  }

  // Steps where `event` happened on any lane; a finding is where something is wrong or marked.
  stepsOf(event) {
    if (event !== "finding") return this.journey.lanes.flatMap((lane) => lane.events[event] || []);
    return this.journey.marks.map((m) => m.step).concat(this.journey.lanes.filter((l) => l.problem).map((l) => l.ends));
  }

  jump(event, back) {
    const all = this.stepsOf(event).filter((s) => back ? s < this.step : s > this.step);
    if (all.length) this.go(back ? Math.max(...all) : Math.min(...all));
    else this.find("now").textContent = `no ${event} ${back ? "before" : "after"} step ${this.step}`;
  }

  act(what) {
    if (!this.journey) return;
    const [verb, event] = what.split(":");
    const acts = {
      first: () => this.go(0), last: () => this.go(this.journey.steps.length), back: () => this.go(this.step - 1),
      next: () => this.go(this.step + 1), play: () => (this.playing ? this.stop() : this.play()),
      in: () => this.magnify(1 / 2), out: () => this.magnify(2), fit: () => { this.zoom = 0; this.fitted = LEAST; this.draw(); },
      after: () => this.jump(event, false), before: () => this.jump(event, true),
    };
    acts[verb]();
  }

  magnify(factor) {
    this.zoom = Math.max(LEAST, Math.min(MOST, (this.zoom || this.fitted) * factor));
    const map = this.focused, middle = map.picked;
    this.draw();
    if (middle !== null) { map.reveal(middle); map.draw(); }
  }

  play() {
    const rate = Number(this.find("speed").value);       // steps a second
    if (this.step >= this.journey.steps.length) this.go(0);
    let last = performance.now(), owed = 0;
    const tick = (now) => {
      owed += (now - last) * rate / 1000;
      last = now;
      if (owed >= 1) { this.go(this.step + Math.floor(owed)); owed %= 1; }
      if (this.step >= this.journey.steps.length) this.stop();
      else if (this.playing) this.playing = requestAnimationFrame(tick);
    };
    this.playing = requestAnimationFrame(tick);
    this.showPlaying(true);
  }

  stop() {
    if (this.playing) cancelAnimationFrame(this.playing);
    this.playing = null;
    this.showPlaying(false);
  }

  showPlaying(on) {
    const button = this.section.querySelector('[data-do="play"]');
    button.textContent = on ? "❚❚ pause" : "▶ play";
    button.setAttribute("aria-pressed", String(on));
  }

  key(event) {
    const typing = /^(SELECT|TEXTAREA)$/.test(event.target.tagName) || event.target.type === "number";
    if (!this.journey || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const onSlider = event.target.type === "range";
    const acts = { ArrowRight: "next", ArrowLeft: "back", Home: "first", End: "last", s: "after:split", S: "before:split",
                   c: "after:coalesce", C: "before:coalesce", g: "after:growth", G: "before:growth", f: "after:finding",
                   F: "before:finding", "+": "in", "=": "in", "-": "out", 0: "fit" };
    if (event.key === " " && event.target.tagName !== "BUTTON") this.act("play");
    else if (event.key === "." || event.key === ",") this.choose(event.key === "." ? 1 : -1);
    else if (event.key in acts && !(onSlider && /^(Arrow|Home|End)/.test(event.key))) this.act(acts[event.key]);
    else return;
    event.preventDefault();
  }

  choose(by) {
    const map = this.focused;
    this.pick(map, map.neighbour(by), true);
    map.reveal(map.picked);
    map.draw();
  }

  pick(map, address, keep) {
    if (!keep && (this.kept || map.picked === address)) return;
    this.kept = keep && address !== null;
    for (const other of this.maps) if (other !== map && other.picked !== null) { other.picked = null; other.draw(); }
    map.picked = address;
    this.keptMap = map;
    map.draw();
    this.describe();
  }

  describe() {
    const map = this.keptMap, place = map.picked !== null && map.places.find(({ strip }) => pieceAt(strip, map.picked));
    if (!place) { this.find("block").textContent = "Point at a block, or press . and , to walk through them."; return; }
    const { strip } = place, piece = pieceAt(strip, map.picked);
    const parts = strip.kind === SLOTS ? this.ofSlot(map, strip, piece) : this.ofBlock(map, strip, piece.i);
    this.find("block").textContent = parts.filter((p) => p).join(" · ");
  }

  ofSlot(map, strip, { at, i }) {
    const words = { out: "out", cached: "cached: freed, and a thread keeps it", back: "back in its run", fresh: "never handed out" };
    const made = strip.since[i], n = slotsOf(strip);
    return [
      `${map.lane.name}, arena ${strip.arena}, slot ${(at - firstSlot(strip)) / strip.slot + 1} of ${n.all} (0x${at.toString(16)})`,
      `a slot of ${strip.slot} bytes, ${words[i < 0 ? "fresh" : slotState(strip.flag[i])]}`,
      `of its run ${n.out} out, ${n.cached} cached, ${n.back} back, ${n.fresh} never handed out`,
      made ? `so since step ${made}: ${this.journey.steps[made - 1] || ""}` : "",
    ];
  }

  ofBlock(map, strip, i) {
    const used = strip.flag[i] & USED;
    const word = (BigInt(Math.max(0, strip.arena)) << 48n) | BigInt(strip.size[i] + strip.flag[i] + (strip.kind === OWN ? 4 : 0));
    const hex = (n) => `0x${n.toString(16)}`, far = (a) => a ? `+${a - strip.start}` : "the head";
    const links = map.links(strip.addr[i]);
    const made = strip.since[i];
    return [
      `${map.lane.name}, ${strip.arena < 0 ? (used ? "own mapping" : "kept mapping") : `arena ${strip.arena}`} +${strip.addr[i] - strip.start} (${hex(strip.addr[i])})`,
      `${strip.size[i]} bytes, ${used ? "used" : "free"}`,
      strip.kind === OWN ? "" : `header ${hex(word)}: size ${strip.size[i]}, USED ${used ? 1 : 0}, PREV_USED ${strip.flag[i] & PREV_USED ? 1 : 0}, owner ${strip.arena}`,
      used || strip.kind === OWN ? "" : `footer ${strip.size[i]}, next ${far(links.next)}, prev ${far(links.prev)}, number ${links.rank + 1} of ${links.length} on the list`,
      `so since step ${made}: ${this.journey.steps[made - 1] || ""}`,
    ];
  }

  // Where things happen, along the slider: growth, coalescing, splitting, findings.
  drawOverview() {
    const canvas = this.find("overview"), c = colours(), ctx = canvas.getContext("2d"), total = this.journey.steps.length;
    ctx.clearRect(0, 0, canvas.width, canvas.height);
    const lanes = [["split", c.used, 0], ["coalesce", c.edge, 8], ["growth", c.link, 16], ["finding", c.mark, 0]];
    for (const [event, colour, y] of lanes) {
      ctx.fillStyle = colour;
      for (const step of this.stepsOf(event)) ctx.fillRect(step / total * (canvas.width - 2), y, event === "finding" ? 4 : 2, event === "finding" ? 24 : 6);
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const section = document.getElementById("travel");
  if (section) { window.travel = new Travel(section); window.travel.followLink(location.hash); }
  document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
  }));
});
