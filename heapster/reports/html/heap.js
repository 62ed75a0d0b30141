// A lane's heap at any step: deltas from the page, keyframes made on the way. See reports/timeline.py.
"use strict";

const ADDED = 0, GONE = 1, MOVED = 2, SPLICED = 3, LISTED = 4, CURSOR = 5;
const KINDS = ["sbrk", "mmap", "own mapping"], OWN = 2, SLOTS = 3, POOLED = 4;      // and 5: pooled, without pages
const USED = 1, PREV_USED = 2, CACHED = 2;                // of a slot, the second says that it is cached

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

function copyOf(state) {
  const copy = { strips: [], lists: {}, cursors: { ...state.cursors }, touched: state.touched };
  for (const s of state.strips) {
    copy.strips.push(s && { ...s, addr: s.addr.slice(), size: s.size.slice(), flag: s.flag.slice(), since: s.since.slice() });
  }
  for (const arena of Object.keys(state.lists)) copy.lists[arena] = state.lists[arena].slice();
  return copy;
}

function splice(strip, change, step, touched) {
  const [, , first, count, offset] = change;
  let at = offset >= 0 ? strip.start + offset : first > 0 ? strip.addr[first - 1] + strip.size[first - 1] : 0;
  const addr = [], size = [], flag = [], since = [];
  for (let k = 5; k < change.length; k++) {
    const bytes = Math.floor(change[k] / 4), flags = change[k] & 3;
    let born = step;
    for (let i = first; i < first + count; i++) {
      const differing = (strip.flag[i] ^ flags) & (strip.kind === SLOTS ? USED | CACHED : USED);
      const same = strip.addr[i] === at && strip.size[i] === bytes && !differing;
      if (same) born = strip.since[i];
    }
    if (born === step) touched.add(at);
    addr.push(at); size.push(bytes); flag.push(flags); since.push(born);
    at += bytes;
  }
  for (const [name, values] of [["addr", addr], ["size", size], ["flag", flag], ["since", since]]) {
    strip[name].splice(first, count, ...values);
  }
}

function applyChange(state, change, step) {
  const [kind, which] = change;
  if (kind === ADDED) {
    state.strips.push({ arena: which, kind: change[2], start: change[3], end: change[4], slot: change[5], addr: [], size: [], flag: [], since: [] });
  } else if (kind === GONE) {
    state.strips[which] = null;
  } else if (kind === MOVED) {
    state.strips[which].start = change[2];
    state.strips[which].end = change[3];
  } else if (kind === SPLICED) {
    splice(state.strips[which], change, step, state.touched);
  } else if (kind === LISTED) {
    const count = change[2], gone = new Set(change.slice(3 + count));
    const kept = (state.lists[which] || []).filter((_, i) => !gone.has(i));
    state.lists[which] = change.slice(3, 3 + count).concat(kept);
  } else if (kind === CURSOR) {
    state.cursors[which] = change[2];
  }
}

class Lane {
  constructor(data) {
    Object.assign(this, data);                 // name, changes, events, problem, ends
    this.every = this.changes.length > 20000 ? 512 : 128;
    this.state = { strips: [], lists: {}, cursors: {}, touched: new Set() };
    this.at = 0;
    this.keyframes = [copyOf(this.state)];
  }

  // The heap after `step` steps; after the last one, it stays as it is.
  seek(step) {
    const target = Math.min(step, this.changes.length);
    const nearest = Math.min(Math.floor(target / this.every), this.keyframes.length - 1);
    if (target < this.at || nearest * this.every > this.at) {
      this.state = copyOf(this.keyframes[nearest]);
      this.at = nearest * this.every;
    }
    while (this.at < target) this.forward();
    return this.state;
  }

  forward() {
    this.state.touched = new Set();
    for (const change of this.changes[this.at]) applyChange(this.state, change, this.at + 1);
    this.at += 1;
    if (this.at === this.keyframes.length * this.every) this.keyframes.push(copyOf(this.state));
  }
}

// How many slots of a run are out, cached, back and never handed out, and how many it has.
function slotsOf(strip) {
  const n = { out: 0, cached: 0, back: 0, fresh: 0, all: Math.floor((strip.end - strip.start) / strip.slot) };
  for (const flag of strip.flag) n[slotState(flag)] += 1;
  n.fresh = n.all - strip.flag.length;
  return n;
}

function slotState(flag) { return flag & USED ? (flag & CACHED ? "cached" : "out") : "back"; }

// Where the first slot of a run begins: what is left over is before it.
function firstSlot(strip) { return strip.start + (strip.end - strip.start) % strip.slot; }

function figuresOf(state) {
  const f = { used: 0, usedBlocks: 0, free: 0, freeBlocks: 0, held: 0, largest: 0 };
  for (const s of state.strips) {
    if (!s) continue;
    if (s.kind !== POOLED + 1) f.held += s.end - s.start;
    if (s.kind === SLOTS) {
      const n = slotsOf(s), out = n.out + n.cached;
      f.used += out * s.slot; f.usedBlocks += out;
      f.free += (n.all - out) * s.slot; f.freeBlocks += n.all - out;
      continue;
    }
    for (let i = 0; i < s.size.length; i++) {
      if (s.flag[i] & USED) { f.used += s.size[i]; f.usedBlocks += 1; }
      else { f.free += s.size[i]; f.freeBlocks += 1; f.largest = Math.max(f.largest, s.size[i]); }
    }
  }
  return f;
}

// The index of the block that holds `address`, or -1.
function blockAt(strip, address) {
  let low = 0, high = strip.addr.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (strip.addr[middle] + strip.size[middle] <= address) low = middle + 1;
    else if (strip.addr[middle] > address) high = middle - 1;
    else return middle;
  }
  return -1;
}

// The block or slot that holds `address`: where it begins, its size, and its index, which is -1 of a slot that was never
// handed out; undefined if there is none.
function pieceAt(strip, address) {
  const i = blockAt(strip, address);
  if (i >= 0) return { at: strip.addr[i], size: strip.size[i], i };
  if (strip.kind !== SLOTS || address < firstSlot(strip) || address >= strip.end) return undefined;
  const number = Math.floor((address - firstSlot(strip)) / strip.slot);
  return { at: firstSlot(strip) + number * strip.slot, size: strip.slot, i: -1 };
}

function human(bytes) {
  if (bytes < 10000) return `${bytes} B`;
  return bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / (1 << 20)).toFixed(2)} MiB`;
}
