/* Hands on a timeline: mouse, touch, pen, wheel and keys, turned into zoom, pan, seek, scrub and select. */

import { nowMs } from "../clock.js";

const CLICK_PX = 4; // a press that moves less is a click
const GRAB_PX = 9; // around the playhead

export class Gestures {
  constructor(timeline) {
    this.timeline = timeline;
    this.pointers = new Map();
    const on = (name, act, options) => timeline.addEventListener(name, act, options);
    on("pointerdown", (event) => this.down(event));
    // A click doesn't take the focus: the arrows go on stepping frames. By Tab the timeline is a slider.
    on("mousedown", (event) => event.preventDefault());
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.up(event, true));
    on("pointerleave", () => this.timeline.showTip(null));
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("keydown", (event) => this.key(event));
  }

  get isBusy() { return this.pointers.size > 0; }

  x(event) {
    return event.clientX - this.timeline.getBoundingClientRect().left;
  }

  down(event) {
    if (event.button !== 0) return;
    const x = this.x(event);
    const { scale } = this.timeline;
    this.timeline.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, x);
    this.startX = x;
    this.lastX = x;
    this.hasMoved = false;
    if (this.pointers.size === 2) {
      this.mode = "pinch";
      return;
    }
    const headX = scale.xOf(this.timeline.playheadMs ?? nowMs());
    const isTop = event.clientY - this.timeline.getBoundingClientRect().top < 20;
    if (event.shiftKey) {
      this.mode = "select";
      this.anchorMs = scale.msAt(x);
    } else if (Math.abs(x - headX) < GRAB_PX || isTop) {
      this.mode = "scrub";
    } else {
      this.mode = "pan";
    }
  }

  move(event) {
    const x = this.x(event);
    const { timeline } = this;
    if (!this.pointers.has(event.pointerId)) {
      timeline.showTip(x);
      const headX = timeline.scale.xOf(timeline.playheadMs ?? nowMs());
      timeline.classList.toggle("on-head", Math.abs(x - headX) < GRAB_PX);
      return;
    }
    if (this.mode === "pinch") {
      this.pinch(event.pointerId, x);
      return;
    }
    this.pointers.set(event.pointerId, x);
    if (!this.hasMoved && Math.abs(x - this.startX) < CLICK_PX) return;
    this.hasMoved = true;
    timeline.classList.add("dragging");
    const { scale } = timeline;
    if (this.mode === "select") timeline.select(this.anchorMs, scale.msAt(x));
    else if (this.mode === "scrub") timeline.scrub(scale.msAt(x));
    else timeline.pan(((this.lastX - x) / scale.widthPx) * scale.lengthMs);
    timeline.showTip(x);
    this.lastX = x;
  }

  pinch(id, x) {
    const before = [...this.pointers.values()];
    this.pointers.set(id, x);
    const after = [...this.pointers.values()];
    const spread = (pair) => Math.max(20, Math.abs(pair[0] - pair[1]));
    const { scale } = this.timeline;
    this.timeline.zoom(spread(before) / spread(after), scale.msAt((after[0] + after[1]) / 2));
    this.hasMoved = true;
  }

  up(event, isCancelled = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { timeline } = this;
    timeline.classList.remove("dragging");
    if (this.mode === "pinch" || isCancelled) return;
    const ms = timeline.scale.msAt(this.x(event));
    if (this.mode === "scrub" && this.hasMoved) timeline.seek(ms);
    else if (!this.hasMoved && this.mode === "select") timeline.select(0, 0);
    else if (!this.hasMoved) timeline.seek(ms);
  }

  wheel(event) {
    event.preventDefault();
    const { timeline } = this;
    const { scale } = timeline;
    const unit = event.deltaMode === 1 ? 16 : 1;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      timeline.pan(((event.deltaX * unit) / scale.widthPx) * scale.lengthMs);
    } else if (event.shiftKey) {
      timeline.pan(((event.deltaY * unit) / scale.widthPx) * scale.lengthMs);
    } else {
      const factor = Math.exp(Math.max(-120, Math.min(120, event.deltaY * unit)) * 0.0025);
      timeline.zoom(factor, scale.msAt(this.x(event)));
    }
    timeline.showTip(this.x(event));
  }

  /** Arrows and the like when the timeline has the focus; Shift makes greater steps. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { timeline } = this;
    const { scale } = timeline;
    const at = timeline.playheadMs ?? nowMs();
    const small = scale.lengthMs / 200;
    const acts = {
      ArrowLeft: () => timeline.seek(at - small * (event.shiftKey ? 10 : 1)),
      ArrowRight: () => timeline.seek(at + small * (event.shiftKey ? 10 : 1)),
      ArrowUp: () => timeline.zoom(0.7),
      ArrowDown: () => timeline.zoom(1 / 0.7),
      PageUp: () => timeline.pan(-scale.lengthMs * 0.8),
      PageDown: () => timeline.pan(scale.lengthMs * 0.8),
      Home: () => timeline.seek(scale.fromMs),
      End: () => timeline.seek(nowMs()),
      "+": () => timeline.zoom(0.7),
      "-": () => timeline.zoom(1 / 0.7),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}
