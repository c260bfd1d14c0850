/* <heron-player camera="uuid" name="Gate 2" stream="sub|main" rung="webcodecs|mse|mjpeg"?>: one camera's picture.
 *
 * Live by itself: starts when seen, stops when hidden, changes streams without a black moment, says why there is
 * no picture. Playback puts its own <video> in through `showPlayback()`. Emits `heron-picture` at the first picture
 * of each start. `stats` and performance marks (`heron:start:<camera>`, `heron:picture:<camera>`) serve the bench.
 */

import { nowMs, nowS } from "../clock.js";
import { prefetchLive } from "../media_urls.js";
import { formatClock } from "../times.js";
import { LiveView } from "./live_view.js";
import { describeNoPicture } from "./picture_note.js";

const HIDDEN_GRACE_MS = 2000; // a quick look elsewhere restarts nothing
const LATENCIES_KEPT = 300;
const RUNG_NAMES = { webcodecs: "direct", mse: "buffered", mjpeg: "stills" };
const players = new Set();
setInterval(() => { for (const player of players) player.tick(); }, 1000);
document.addEventListener("visibilitychange", () => { for (const player of players) player.judgeVisibility(); });

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export class HeronPlayer extends HTMLElement {
  static observedAttributes = ["name", "stream", "sound", "simulated"];

  constructor() {
    super();
    this.cameraFacts = null;
    this.latencies = [];
    this.isSeen = false;
  }

  connectedCallback() {
    if (!this.box) this.build();
    players.add(this);
    this.observer = new IntersectionObserver((entries) => {
      this.isSeen = entries.at(-1).isIntersecting;
      this.judgeVisibility();
    });
    this.observer.observe(this);
  }

  disconnectedCallback() {
    players.delete(this);
    this.observer.disconnect();
    clearTimeout(this.hideTimer);
    this.stop();
  }

  attributeChangedCallback(name, before, after) {
    if (!this.box || before === after) return;
    if (name === "name") this.nameLabel.textContent = after;
    else if (name === "simulated") this.demo.hidden = after === null;
    else if (this.isRunning) this.changeView();
  }

  build() {
    this.box = make("div", "picture");
    this.note = make("div", "note");
    this.note.hidden = true;
    this.caption = make("div", "caption");
    this.dot = make("span", "recdot");
    this.nameLabel = make("span", "camera-name", this.getAttribute("name") || "");
    this.clock = make("time", "picture-time");
    this.demo = make("span", "chip demo", "simulated");
    this.demo.hidden = !this.hasAttribute("simulated");
    this.caption.append(this.dot, this.nameLabel, this.demo, this.clock);
    this.chips = make("div", "chips");
    this.latencyChip = make("span", "chip");
    this.latencyChip.hidden = true;
    this.chips.append(this.latencyChip);
    this.append(this.box, this.note, this.caption, this.chips);
    this.dispatchEvent(new CustomEvent("heron-built"));
  }

  get camera() { return this.getAttribute("camera"); }
  get stream() { return this.getAttribute("stream") || "main"; }

  get stats() {
    const view = this.view;
    return {
      rung: view?.rungName || "none",
      stream: view?.stream || this.stream,
      transcoded: Boolean(view?.transcode),
      latency_ms: this.latencies.length ? Math.round(this.latencies.at(-1)) : null,
      latencies_ms: this.latencies.slice(),
      dropped: view?.dropped || 0,
      pictures: view?.pictures || 0,
      first_picture_ms: this.firstPictureMs ?? null,
      picture_at_s: this.pictureAtS ?? null,
    };
  }

  /** What the site knows of the camera: {state, detail, sinceMs, retryAtMs}. */
  setFacts(facts) {
    const wasDown = this.cameraFacts && !["recording", "live"].includes(this.cameraFacts.state);
    this.cameraFacts = facts;
    if (!this.box) return;
    this.dot.hidden = facts.state !== "recording";
    this.dataset.state = facts.state;
    if (facts.state === "disabled") this.stop();
    else if (wasDown && ["recording", "live"].includes(facts.state)) this.view?.hurry();
    this.judgeVisibility();
    this.tick();
  }

  judgeVisibility() {
    const wanted = this.isConnected && this.isSeen && !document.hidden && !this.isPlayback && this.cameraFacts?.state !== "disabled";
    clearTimeout(this.hideTimer);
    if (wanted) this.start();
    else if (this.isRunning) this.hideTimer = setTimeout(() => this.stop(), this.isPlayback ? 0 : HIDDEN_GRACE_MS);
  }

  start() {
    if (this.isRunning) return;
    this.isRunning = true;
    this.lastPictureMs = 0;
    this.changeView();
  }

  stop() {
    if (!this.isRunning) return;
    this.isRunning = false;
    this.coming?.close();
    this.view?.close();
    this.coming = this.view = null;
    this.latencyChip.hidden = true;
  }

  /** Open the picture as the attributes now say; the old one stays until the new one is there. */
  changeView() {
    this.coming?.close();
    this.startedMs = nowMs();
    const startedMark = performance.now();
    performance.mark(`heron:start:${this.camera}`);
    this.trouble = null;
    let isFirst = true;
    const view = new LiveView({
      camera: this.camera,
      stream: this.stream,
      forcedRung: this.getAttribute("rung") || "",
      sound: this.hasAttribute("sound"),
      handlers: {
        onPicture: (pts) => {
          if (isFirst) {
            isFirst = false;
            this.firstPictureMs = performance.now() - startedMark;
            performance.mark(`heron:picture:${this.camera}`);
            this.adopt(view);
            this.dispatchEvent(new CustomEvent("heron-picture", { bubbles: true, detail: this.stats }));
          }
          this.notePicture(pts);
        },
        onTrouble: (trouble) => {
          if (view !== this.coming && view !== this.view) return;
          this.trouble = { ...trouble, sinceMs: trouble.sinceMs || this.trouble?.sinceMs || nowMs() };
          this.tick();
        },
        onHello: () => { this.trouble = null; },
      },
    });
    this.coming = view;
    this.box.prepend(view.surface); // below the old picture until it has its first own
    view.start();
    setTimeout(() => this.tick(), 750);
  }

  adopt(view) {
    if (view !== this.coming) return;
    this.coming = null;
    const old = this.view;
    this.view = view;
    this.latencies.length = 0;
    old?.close();
  }

  notePicture(pts) {
    const isStale = !this.note.hidden;
    this.lastPictureMs = nowMs();
    if (pts !== null) {
      this.pictureAtS = pts;
      this.latencies.push((nowS() - pts) * 1000);
      if (this.latencies.length > LATENCIES_KEPT) this.latencies.shift();
    }
    if (isStale) this.tick();
  }

  tick() {
    if (this.isPlayback || !this.box) return;
    const words = !this.isRunning && this.cameraFacts?.state !== "disabled" ? null : describeNoPicture({
      nowMs: nowMs(), startedMs: this.startedMs || nowMs(), lastPictureMs: this.lastPictureMs,
      camera: this.cameraFacts, trouble: this.trouble,
    });
    this.showNote(words);
    this.box.classList.toggle("stale", Boolean(words));
    this.clock.textContent = this.pictureAtS && this.lastPictureMs ? formatClock(this.pictureAtS * 1000) : "";
    this.tickChip();
  }

  tickChip() {
    this.latencyChip.hidden = !this.view || !this.lastPictureMs;
    if (this.latencyChip.hidden) return;
    const recent = this.latencies.slice(-15).sort((a, b) => a - b);
    const median = recent[recent.length >> 1];
    const what = this.view.stream === "sub" ? "sub" : this.view.hello?.height ? `${this.view.hello.height}p` : "main";
    const parts = [what];
    if (Number.isFinite(median)) parts.push(median < 9950 ? `${Math.max(0, Math.round(median / 10) * 10)} ms` : `${Math.round(median / 1000)} s`);
    if (this.view.transcode) parts.push("transcoded");
    this.latencyChip.textContent = parts.join(" · ");
    this.latencyChip.title = `Time from the camera to this picture. Way: ${RUNG_NAMES[this.view.rungName] || ""}; frames dropped: ${this.view.dropped}`;
  }

  showNote(words) {
    const key = words ? `${words.title}|${words.why}|${words.next}` : "";
    if (key === this.noteKey) return;
    this.noteKey = key;
    this.note.hidden = !words;
    if (!words) return;
    this.note.dataset.tone = words.tone;
    const title = make("b", "", words.title);
    this.note.replaceChildren(make("span", "note-mark"), title, make("span", "", [words.why, words.next].filter(Boolean).join(" ")));
  }

  /** Ask for the main stream's address ahead of a likely click. */
  prefetch(stream) {
    prefetchLive(this.camera, stream);
  }

  /** Show playback's video instead of the live picture. */
  showPlayback(video) {
    this.isPlayback = true;
    this.classList.add("in-playback");
    this.latencyChip.hidden = true;
    this.showNote(null);
    this.box.classList.remove("stale");
    if (video.parentNode !== this.box) this.box.append(video);
    this.judgeVisibility();
  }

  showLive() {
    if (!this.isPlayback) return;
    this.isPlayback = false;
    this.classList.remove("in-playback");
    this.judgeVisibility();
    this.tick();
  }

  setPictureTime(ms) {
    this.clock.textContent = formatClock(ms, true);
  }
}

customElements.define("heron-player", HeronPlayer);
