/* Playback of one camera in absolute time: `video.currentTime` is UTC in seconds since the Unix epoch.
 *
 * Up to 4x an ArchiveFeed streams everything into the buffer; faster and backward the Shuttle shows keyframes. Spans
 * without footage are jumped. Handlers: onTime(ms), onState(state), onNote(text), onRate(), onTrouble(error).
 */

import { nowMs } from "../clock.js";
import { formatDuration } from "../times.js";
import { ArchiveFeed } from "./archive_feed.js";
import { FrameTimes } from "./frames.js";
import { MediaBuffer, makeVideo } from "./media_buffer.js";
import { sameBytes } from "./mp4.js";
import { Shuttle } from "./shuttle.js";
import { Stepper } from "./stepper.js";

const FAR_FUTURE_S = 4102444800; // 2100: every instant is seekable
const KEEP_S = 20; // of what was played, for steps back
const HOLE_MS = 1000; // shorter ones need no word
const FASTEST_WHOLE = 4; // above, keyframes only
const NEAR_NOW_MS = 6000;
const INSIDE_S = 0.0005; // into the frame, whatever way its time was rounded
const MENDS_ALLOWED = 4;

export class Playback {
  constructor({ camera, stream = "main", handlers }) {
    Object.assign(this, { camera, stream, handlers });
    this.video = makeVideo();
    this.frames = new FrameTimes();
    this.stepper = new Stepper(this);
    this.query = {};
    this.speed = 1;
    this.isPaused = true;
    this.atS = 0;
    this.mends = 0;
    this.open();
    for (const name of ["seeked", "timeupdate"]) this.video.addEventListener(name, () => this.noteTime());
    this.video.addEventListener("waiting", () => this.skipHole());
    this.video.addEventListener("error", () => this.broken());
    this.watchFrames();
    this.timer = setInterval(() => this.look(), 250);
  }

  get isShuttling() { return this.speed < 0 || this.speed > FASTEST_WHOLE; }
  get atMs() { return this.atS * 1000; }

  open() {
    this.media?.close();
    this.initShown = null;
    this.media = new MediaBuffer(this.video, { durationS: FAR_FUTURE_S, onError: (error) => this.broken(error) });
  }

  close() {
    this.isClosed = true;
    clearInterval(this.timer);
    this.feed?.close();
    this.endShuttle();
    this.media.close();
    this.video.remove();
  }

  // -- what people do ------------------------------------------------------------------------------------------

  /** Show the picture of `ms` and go on as before (playing or paused). */
  seek(ms) {
    this.isScrubbing = false;
    this.stepTargetS = null;
    this.endShuttle();
    this.atS = ms / 1000;
    this.seekStartedMs = performance.now();
    this.handlers.onTime(ms);
    if (this.isShuttling) {
      this.startShuttle();
    } else if (this.isBuffered(this.atS)) {
      this.video.currentTime = this.atS;
      this.applyPaused();
    } else {
      this.setState("loading");
      this.startFeed(ms);
    }
  }

  /** Whether the feed that runs covers `atS`, so that a seek needs no new one. */
  isBuffered(atS) {
    const last = this.media.ranges.at(-1);
    return Boolean(this.feed?.isRunning && !this.isSparse && last && atS >= last[0] && atS < last[1] - 0.1);
  }

  play() {
    this.isPaused = false;
    if (this.isShuttling || !this.feed?.isRunning || this.isSparse) this.seek(this.atMs);
    else this.applyPaused();
    this.setState("playing");
  }

  pause() {
    this.isPaused = true;
    this.endShuttle();
    this.video.pause();
    this.setState("paused");
  }

  get rate() { return this.speed; }

  setRate(rate) {
    if (rate === this.speed) return;
    const wasShuttling = this.isShuttling;
    this.speed = rate;
    if (!this.isShuttling) this.video.playbackRate = rate;
    if (this.isPaused) return;
    if (this.isShuttling) this.startShuttle();
    else if (wasShuttling) this.seek(this.atMs);
  }

  setSound(isOn) {
    this.video.muted = !isOn;
    const { audio, ...rest } = this.query;
    this.query = isOn ? { ...rest, audio: "1" } : rest;
    if (isOn === Boolean(audio)) return;
    this.open();
    this.isSparse = true; // nothing of the old buffer can be used
    if (this.atS) this.seek(this.atMs);
  }

  /** Show the frame `count` frames on (negative: back); exact, also over the ends of the buffer. */
  step(count) {
    this.pause();
    if (this.isShuttling) {
      this.speed = 1;
      this.video.playbackRate = 1;
      this.handlers.onRate();
    }
    return this.stepper.step(count);
  }

  /** Show exactly the frame of `targetS`, which is in the buffer. */
  showFrame(targetS) {
    this.stepTargetS = targetS;
    this.atS = targetS;
    this.video.currentTime = targetS + INSIDE_S;
    this.handlers.onTime(targetS * 1000);
  }

  /** While the person drags: keyframes near `ms`, as many as come. End with `seek()`. */
  scrub(ms) {
    if (!this.isScrubbing) {
      this.isScrubbing = true;
      this.beginSparse();
    }
    this.atS = ms / 1000;
    this.handlers.onTime(ms);
    this.shuttle.scrub(ms);
  }

  // -- whole footage -------------------------------------------------------------------------------------------

  startFeed(fromMs, showS = fromMs / 1000) {
    this.feed?.close();
    this.isSparse = false;
    this.frames.clear();
    this.stepTargetS = null;
    this.media.clear().catch(() => {});
    const playback = this;
    this.feed = new ArchiveFeed({
      camera: this.camera,
      stream: this.stream,
      media: this.media,
      frames: this.frames,
      get query() { return playback.query; },
      set query(query) { playback.query = query; },
      get initShown() { return playback.initShown; },
      set initShown(bytes) { playback.initShown = bytes; },
      positionS: () => Math.max(this.atS, this.video.currentTime),
      rate: () => this.speed,
      onPlace: (atS, wantedS) => this.place(atS, wantedS),
      onNote: (text) => this.handlers.onNote(text),
      onTrouble: (error) => this.fail(error),
    }, fromMs, showS);
  }

  place(atS, wantedS) {
    this.video.currentTime = atS + INSIDE_S;
    this.atS = atS;
    this.noteHole(wantedS * 1000, atS * 1000);
    this.applyPaused();
    this.handlers.onTime(this.atMs);
  }

  applyPaused() {
    if (this.isPaused) {
      this.video.pause();
      return;
    }
    this.video.playbackRate = this.speed;
    this.video.play().catch(() => {});
  }

  noteHole(fromMs, toMs) {
    if (toMs - fromMs > HOLE_MS) this.handlers.onNote(`Jumped over ${formatDuration(toMs - fromMs)} without footage`);
  }

  /** The buffer ends before a hole: go on after it. */
  skipHole() {
    if (this.isClosed || this.isShuttling || this.isSparse || this.isPaused) return;
    const at = this.video.currentTime;
    const next = this.media.ranges.find(([from]) => from > at + 0.001);
    const here = this.media.rangeAt(at);
    if (!next || (here && here[1] - at > 0.3)) return;
    this.noteHole((here?.[1] ?? at) * 1000, next[0] * 1000);
    this.video.currentTime = next[0] + 0.001;
  }

  look() {
    if (this.isClosed || this.isSparse || this.isScrubbing) return;
    const at = this.video.currentTime;
    if (!this.isPaused && this.video.readyState < 3) this.skipHole();
    if (at && this.media.ranges[0]?.[0] < at - 2 * KEEP_S) {
      this.media.remove(0, at - KEEP_S).catch(() => {});
      this.frames.dropBefore(at - KEEP_S);
    }
    if (!this.isPaused && this.speed > 1 && nowMs() - this.atMs < 4000) this.catchUp();
  }

  catchUp() {
    this.handlers.onNote("Caught up with now: speed 1×");
    this.setRate(1);
    this.handlers.onRate();
  }

  // -- keyframes only ------------------------------------------------------------------------------------------

  beginSparse() {
    this.endShuttle();
    this.feed?.close();
    this.video.pause();
    this.isSparse = true;
    this.shuttle = new Shuttle({
      camera: this.camera,
      stream: this.stream,
      query: this.query,
      show: (key) => this.showKey(key),
      onNote: (text) => this.handlers.onNote(text),
      onEnd: () => this.ranOut(),
      onTrouble: (error) => this.fail(error),
    });
  }

  startShuttle() {
    const fromMs = this.atMs;
    this.beginSparse();
    if (this.isPaused) this.shuttle.scrub(fromMs);
    else this.shuttle.run(fromMs, this.speed);
    this.setState(this.isPaused ? "paused" : "playing");
  }

  endShuttle() {
    this.shuttle?.close();
    this.shuttle = null;
  }

  ranOut() {
    if (this.speed > 0 && nowMs() - this.atMs < NEAR_NOW_MS * this.speed) {
      this.catchUp();
      return;
    }
    this.handlers.onNote(this.speed < 0 ? "The recordings begin here" : "No later footage");
    this.pause();
  }

  /** Resolves when the keyframe is on the screen. */
  async showKey(key) {
    if (!sameBytes(key.init.bytes, this.initShown)) {
      this.media.setMime(key.init.mime);
      await this.media.append(key.init.bytes);
      this.initShown = key.init.bytes;
    }
    await this.media.append(key.bytes);
    if (this.isClosed || !this.isSparse) return;
    const shown = new Promise((resolve) => { this.video.addEventListener("seeked", resolve, { once: true }); });
    this.video.currentTime = key.pts + INSIDE_S;
    if (!this.isScrubbing) {
      this.atS = key.pts;
      this.handlers.onTime(key.pts * 1000);
    }
    await shown;
    const { ranges } = this.media;
    if (ranges.length < 60) return;
    const [from, to] = this.speed < 0 ? [ranges[30][0], FAR_FUTURE_S] : [0, ranges[30][0]];
    this.media.remove(from, to).catch(() => {});
  }

  // -- what happens --------------------------------------------------------------------------------------------

  watchFrames() {
    if (!this.video.requestVideoFrameCallback) return;
    const each = () => {
      if (this.isClosed) return;
      if (this.seekStartedMs && !this.video.seeking && (this.isSparse || this.feed?.isPlaced)) this.noteSeekDone();
      this.video.requestVideoFrameCallback(each);
    };
    this.video.requestVideoFrameCallback(each);
  }

  noteSeekDone() {
    const start = this.seekStartedMs;
    this.seekStartedMs = 0;
    this.mends = 0;
    performance.measure("heron:seek", { start, end: performance.now() });
    this.setState(this.isPaused ? "paused" : "playing");
  }

  noteTime() {
    if (this.isClosed || this.isSparse || this.isScrubbing || !this.feed?.isPlaced) return;
    if (this.video.seeking || !this.video.currentTime) return;
    this.atS = this.video.currentTime;
    if (!this.isPaused) this.stepTargetS = null;
    this.handlers.onTime(this.atMs);
  }

  setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.handlers.onState(state);
  }

  fail(error) {
    if (this.isClosed || error.name === "AbortError") return;
    this.setState("error");
    this.handlers.onTrouble(error);
  }

  /** The decoder or the buffer gave up: begin anew, the second time with a transcoded stream. */
  broken(error) {
    if (this.isClosed || this.isMending) return;
    this.mends += 1;
    if (this.mends > MENDS_ALLOWED) {
      this.fail(error instanceof Error ? error : new Error("This browser could not decode the recording."));
      return;
    }
    this.isMending = true;
    if (this.mends === 2) this.query = { ...this.query, transcode: "1" };
    setTimeout(() => {
      this.isMending = false;
      if (this.isClosed) return;
      this.open();
      this.isSparse = true;
      this.seek(this.atMs);
    }, 200 * this.mends);
  }
}
