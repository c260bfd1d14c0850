/* Rung 2: Media Source Extensions. Works without a secure context, plays sound, and what only hardware decodes.
 *
 * Keeps a short lead between the newest frame and the playhead: it grows when the network shakes and shrinks again,
 * by playing a little faster or slower; far behind, it jumps.
 */

import { nowS } from "../clock.js";
import { joinBytes } from "./mp4.js";
import { MediaBuffer, makeVideo } from "./media_buffer.js";

const LEAST_LEAD_S = 0.05;
const MOST_LEAD_S = 1.0;
const JUMP_AT_S = 1.0; // beyond the wanted lead
const KEEP_S = 8; // of what was played
const ADJUST_MS = 100;
const CALM_MS = 4000; // so long without running dry before the lead shrinks again
const EDGE_S = 0.3; // newer than this is the live edge
const BURST_MS = 250; // wait no longer for it
const SETTLE_MS = 1500; // at the start everything is late

export class MseRung {
  static rung = "mse";
  static isAvailable = () => typeof MediaSource === "function";

  constructor({ onPicture, onFail, sound = false }) {
    Object.assign(this, { onPicture, onFail });
    this.surface = makeVideo();
    this.surface.muted = !sound;
    this.leadS = LEAST_LEAD_S;
    this.skipped = 0;
    this.waiting = [];
    this.media = new MediaBuffer(this.surface, { onError: () => this.fail("decode") });
    this.surface.addEventListener("error", () => this.fail("decode"));
    this.surface.addEventListener("waiting", () => this.ranDry());
    this.timer = setInterval(() => this.adjust(), ADJUST_MS);
    this.watchFrames();
  }

  get dropped() {
    return this.skipped + (this.surface.getVideoPlaybackQuality?.().droppedVideoFrames || 0);
  }

  async configure(hello, tracks, init) {
    if (!MediaBuffer.isSupported(hello.mime)) {
      this.fail("unsupported");
      return;
    }
    try {
      this.media.setMime(hello.mime);
      await this.media.append(init);
    } catch {
      this.fail("decode");
    }
  }

  push(trafs, bytes) {
    if (this.isClosed) return;
    // Frames that arrive while the buffer works are appended together.
    this.waiting.push(bytes);
    if (this.isAppending) return;
    this.isAppending = true;
    this.media.run(() => {
      const all = joinBytes(this.waiting);
      this.waiting = [];
      this.isAppending = false;
      return this.media.operate((buffer) => buffer.appendBuffer(all));
    }).then(() => this.begin(), () => this.fail("decode"));
  }

  begin() {
    if (this.hasBegun || this.isClosed || !this.media.endS) return;
    // The GOP so far comes in pieces: begin at its end, not in its middle.
    this.firstMs ||= performance.now();
    const isThere = Math.abs(nowS() - this.media.endS) < EDGE_S;
    if (!isThere && performance.now() - this.firstMs < BURST_MS) return;
    this.hasBegun = true;
    this.begunMs = performance.now();
    this.surface.currentTime = this.edge(LEAST_LEAD_S);
    this.surface.play().catch(() => this.playMuted());
  }

  playMuted() {
    if (this.isClosed || this.surface.muted) return;
    this.surface.muted = true; // sound needs a click first in some browsers
    this.surface.play().catch(() => {});
  }

  edge(leadS) {
    const [from, to] = this.media.ranges.at(-1);
    return Math.max(from, to - leadS);
  }

  ranDry() {
    if (!this.hasBegun || this.isClosed) return;
    const now = performance.now();
    if (now - this.begunMs < SETTLE_MS || this.surface.seeking) return;
    this.leadS = Math.min(this.leadS + 0.03, MOST_LEAD_S);
    this.driedMs = now;
  }

  adjust() {
    if (!this.hasBegun || this.isClosed) return;
    const video = this.surface;
    const range = this.media.ranges.at(-1);
    if (!range) return;
    if (performance.now() - (this.driedMs || 0) > CALM_MS) this.leadS = Math.max(LEAST_LEAD_S, this.leadS - 0.005);
    const leadS = range[1] - video.currentTime;
    if (video.currentTime < range[0] || leadS > this.leadS + JUMP_AT_S) {
      video.currentTime = this.edge(this.leadS);
      this.skipped += 1;
    } else {
      // Between two frames the lead swings by itself: what counts is its least of the last looks.
      this.leads = [...(this.leads || []), leadS].slice(-5);
      const wrongS = Math.min(...this.leads) - this.leadS;
      const most = video.muted ? 2 : 0.3; // silent pictures may hurry
      const rate = Math.abs(wrongS) < 0.025 ? 1 : 1 + Math.max(-0.08, Math.min(most, wrongS * 4));
      if (Math.abs(video.playbackRate - rate) > 0.01) video.playbackRate = rate;
    }
    if (video.paused && !video.ended) video.play().catch(() => {});
    if (video.currentTime - range[0] > 2 * KEEP_S) this.media.remove(0, video.currentTime - KEEP_S).catch(() => {});
  }

  watchFrames() {
    const video = this.surface;
    if (!video.requestVideoFrameCallback) {
      video.addEventListener("timeupdate", () => this.hasBegun && this.onPicture(video.currentTime));
      return;
    }
    const each = (now, frame) => {
      if (this.isClosed) return;
      this.onPicture(frame.mediaTime);
      video.requestVideoFrameCallback(each);
    };
    video.requestVideoFrameCallback(each);
  }

  fail(reason) {
    if (this.isClosed) return;
    this.onFail(reason);
  }

  close() {
    this.isClosed = true;
    clearInterval(this.timer);
    this.media.close();
  }
}
