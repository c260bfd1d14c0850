/* <heron-timeline camera="uuid">: recordings and gaps of one camera, from months to a second.
 *
 * Wheel or pinch zooms, drag pans, click plays, drag of the playhead scrubs, shift-drag selects; the same by keys.
 * Emits `heron-seek` {ms}, `heron-scrub` {ms}, `heron-select` {fromMs, toMs}|null, `heron-scale`. Repaints only
 * when something changed: with a moving playhead at most once a frame, else once a second for the live edge.
 */

import { nowMs } from "../clock.js";
import { formatClock, formatDay, formatDuration, formatZone } from "../times.js";
import { drawTimeline, readPalette } from "./draw.js";
import { Gestures } from "./gestures.js";
import { LONGEST_MS, Scale, SHORTEST_MS } from "./scale.js";
import { Spans, describeCause } from "./spans.js";

const FIRST_LENGTH_MS = 60 * 60_000;

export class HeronTimeline extends HTMLElement {
  connectedCallback() {
    if (!this.canvas) this.build();
    this.resizer = new ResizeObserver(() => this.resize());
    this.resizer.observe(this);
    this.ticker = setInterval(() => this.eachSecond(), 1000);
    this.themes = new MutationObserver(() => this.repaint(true));
    this.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  disconnectedCallback() {
    this.resizer.disconnect();
    this.themes.disconnect();
    clearInterval(this.ticker);
  }

  build() {
    this.canvas = document.createElement("canvas");
    this.tip = document.createElement("div");
    this.tip.className = "timeline-tip";
    this.tip.hidden = true;
    this.append(this.canvas, this.tip);
    this.context = this.canvas.getContext("2d", { alpha: false });
    const now = nowMs();
    this.scale = new Scale(now - FIRST_LENGTH_MS * 0.9, now + FIRST_LENGTH_MS * 0.1);
    this.spans = new Spans(this.getAttribute("camera"), { onChange: () => { this.repaint(); this.refreshTip(); } });
    this.pieces = [];
    this.playheadMs = null; // null: live
    this.selection = null;
    this.isFollowing = true;
    this.tabIndex = 0;
    this.setAttribute("role", "slider");
    if (!this.hasAttribute("aria-label")) this.setAttribute("aria-label", "Timeline");
    this.gestures = new Gestures(this);
    this.addEventListener("focus", () => this.repaint());
    this.addEventListener("blur", () => this.repaint());
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.repaint(true));
  }

  resize() {
    const box = this.getBoundingClientRect();
    this.ratio = devicePixelRatio || 1;
    this.scale.widthPx = Math.max(1, box.width);
    this.heightPx = Math.max(1, box.height);
    this.canvas.width = Math.round(box.width * this.ratio);
    this.canvas.height = Math.round(box.height * this.ratio);
    this.repaint();
  }

  // -- what the page tells -------------------------------------------------------------------------------------

  /** Where the picture is; null: live. */
  setPlayhead(ms) {
    if (ms === this.playheadMs) return;
    const before = this.playheadMs === null ? null : this.scale.xOf(this.playheadMs);
    this.playheadMs = ms;
    if (ms !== null && this.isFollowing && !this.gestures.isBusy) this.scale.reveal(ms);
    if (before === null || ms === null || Math.abs(this.scale.xOf(ms) - before) > 0.4) this.repaint();
    if (performance.now() - (this.toldMs || 0) > 900) this.tellAria();
  }

  setRecording(isRecording) {
    this.isRecording = isRecording;
    this.repaint();
  }

  /** Bring the live edge into sight. */
  showLive() {
    this.setPlayhead(null);
    const now = nowMs();
    if (now > this.scale.toMs || now < this.scale.fromMs) this.scale.pan(now + this.scale.lengthMs * 0.1 - this.scale.toMs);
    this.isFollowing = true;
    this.repaint();
  }

  zoom(factor, aroundMs = null) {
    const middle = aroundMs ?? this.playheadMs ?? Math.min(nowMs(), this.scale.toMs);
    this.scale.zoom(factor, middle);
    this.scale.clampTo(nowMs());
    this.dispatchEvent(new CustomEvent("heron-scale"));
    this.repaint();
  }

  pan(byMs) {
    this.scale.pan(byMs);
    this.scale.clampTo(nowMs());
    this.isFollowing = false;
    this.repaint();
  }

  select(fromMs, toMs) {
    const now = nowMs();
    const [from, to] = [Math.min(fromMs, toMs), Math.min(now, Math.max(fromMs, toMs))];
    this.selection = to - from < 200 ? null : { fromMs: from, toMs: to };
    this.dispatchEvent(new CustomEvent("heron-select", { detail: this.selection }));
    this.repaint();
  }

  /** The next or previous place where footage begins or breaks; null when none is known. */
  edgeFrom(ms, direction) {
    return this.spans.edgeFrom(ms, direction, this.pieces);
  }

  seek(ms) {
    this.isFollowing = true;
    const now = nowMs();
    this.dispatchEvent(new CustomEvent("heron-seek", { detail: { ms: Math.min(ms, now), isLive: ms >= now - 1000 } }));
  }

  scrub(ms) {
    this.dispatchEvent(new CustomEvent("heron-scrub", { detail: { ms: Math.min(ms, nowMs()) } }));
  }

  // -- painting ------------------------------------------------------------------------------------------------

  eachSecond() {
    const now = nowMs();
    if (document.hidden) return;
    const edgeIsSeen = now > this.scale.fromMs && now < this.scale.toMs + 5000;
    if (this.playheadMs === null && this.isFollowing && edgeIsSeen && !this.gestures.isBusy) {
      const wanted = now + this.scale.lengthMs * 0.1;
      if (wanted > this.scale.toMs) this.scale.pan(wanted - this.scale.toMs);
    }
    if (edgeIsSeen) this.repaint();
    this.tellAria();
  }

  repaint(newPalette = false) {
    if (newPalette) this.palette = null;
    if (this.request) return;
    this.request = requestAnimationFrame(() => {
      this.request = 0;
      this.paint();
    });
  }

  paint() {
    if (!this.heightPx) return;
    this.palette ||= readPalette(this);
    this.pieces = this.spans.piecesFor(this.scale.fromMs, this.scale.toMs);
    const now = nowMs();
    drawTimeline(this.context, {
      scale: this.scale, heightPx: this.heightPx, ratio: this.ratio, palette: this.palette, pieces: this.pieces, nowMs: now,
      playheadMs: this.playheadMs ?? now, selection: this.selection, isRecording: this.isRecording,
      isFocused: this.matches(":focus-visible"),
    });
    const isLoading = this.pieces.some((piece) => piece.state === "empty");
    const failed = this.pieces.find((piece) => piece.state === "failed");
    this.classList.toggle("loading", isLoading);
    this.classList.toggle("failed", Boolean(failed));
    this.dataset.trouble = failed ? `The timeline could not be read: ${failed.error}` : "";
  }

  // -- words ---------------------------------------------------------------------------------------------------

  describe(ms) {
    const known = this.spans.at(ms, this.pieces);
    const when = `${formatDay(ms)} ${formatClock(ms, this.scale.lengthMs < 60_000)} ${formatZone(ms)}`;
    if (ms > nowMs()) return when;
    if (!known) return `${when}\nNo footage`;
    if (known.kind === "recording") return when;
    const length = formatDuration((known.end ?? nowMs()) - known.start);
    return `${when}\n${describeCause(known.cause)} · ${length}${known.detail ? `\n${known.detail}` : ""}`;
  }

  showTip(x) {
    this.tipX = x;
    if (x === null) {
      this.tip.hidden = true;
      return;
    }
    const text = this.describe(this.scale.msAt(x));
    if (this.tip.textContent !== text) this.tip.textContent = text;
    this.tip.hidden = false;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.max(half + 4, Math.min(this.scale.widthPx - half - 4, x))}px`;
  }

  refreshTip() {
    if (!this.tip.hidden && this.tipX !== null) this.showTip(this.tipX);
  }

  tellAria() {
    this.toldMs = performance.now();
    const at = this.playheadMs ?? nowMs();
    this.setAttribute("aria-valuemin", String(Math.round(this.scale.fromMs)));
    this.setAttribute("aria-valuemax", String(Math.round(this.scale.toMs)));
    this.setAttribute("aria-valuenow", String(Math.round(at)));
    const text = this.playheadMs === null ? "Live" : this.describe(at).replaceAll("\n", ", ");
    this.setAttribute("aria-valuetext", text);
  }
}

export { LONGEST_MS, SHORTEST_MS };
customElements.define("heron-timeline", HeronTimeline);
