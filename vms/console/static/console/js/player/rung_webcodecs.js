/* Rung 1: decode every frame as it comes (WebCodecs) and paint the newest on a canvas. Lowest latency; needs a
 * secure context. Never paints more often than the screen, never queues more than a second.
 */

import { codecsOf } from "./mp4.js";

const MOST_QUEUED = 30; // frames waiting for the decoder before we skip to the next keyframe
const CATCH_UP_MS = 400; // at the start only the newest frame of the GOP is shown, unless decoding takes longer
const ERRORS_ALLOWED = 2; // within ERROR_WINDOW_MS
const ERROR_WINDOW_MS = 10_000;
const supported = new Map();

function isSupported(config) {
  const key = config.codec;
  if (!supported.has(key)) {
    supported.set(key, VideoDecoder.isConfigSupported(config).then((answer) => answer.supported, () => false));
  }
  return supported.get(key);
}

export class WebCodecsRung {
  static rung = "webcodecs";
  static isAvailable = () => typeof VideoDecoder === "function";

  constructor({ onPicture, onFail }) {
    Object.assign(this, { onPicture, onFail });
    this.surface = document.createElement("canvas");
    this.context = this.surface.getContext("2d", { alpha: false, desynchronized: true });
    this.dropped = 0;
    this.errors = [];
    this.waiting = null; // fragments that came while the decoder was being configured
  }

  async configure(hello, tracks) {
    if (!tracks.video) {
      this.onFail("no_video");
      return;
    }
    const config = {
      codec: codecsOf(hello.mime).find((codec) => !/^(mp4a|alaw|ulaw|opus)/.test(codec)) || hello.codec,
      codedWidth: tracks.video.width,
      codedHeight: tracks.video.height,
      optimizeForLatency: true,
    };
    if (tracks.video.description) config.description = tracks.video.description.slice();
    this.videoTrack = tracks.video.id;
    this.config = config;
    this.waiting = [];
    const isGood = await isSupported(config);
    if (this.isClosed || this.config !== config) return;
    if (!isGood) {
      this.onFail("unsupported");
      return;
    }
    this.start();
    const held = this.waiting;
    this.waiting = null;
    for (const trafs of held) this.push(trafs);
  }

  start() {
    if (this.decoder && this.decoder.state !== "closed") this.decoder.close();
    this.decoder = new VideoDecoder({ output: (frame) => this.take(frame), error: (error) => this.broken(error) });
    this.decoder.configure(this.config);
    this.needsKey = true;
    this.startedMs = performance.now();
    this.isCatchingUp = true;
    this.newestPts = 0;
  }

  push(trafs) {
    if (this.isClosed) return;
    if (this.waiting) {
      this.waiting.push(trafs);
      return;
    }
    if (!this.decoder || this.decoder.state !== "configured") return;
    for (const traf of trafs) {
      if (traf.track !== this.videoTrack) continue;
      for (const sample of traf.samples) this.decode(sample);
    }
  }

  decode(sample) {
    if (!this.isCatchingUp && this.decoder.decodeQueueSize > MOST_QUEUED) this.needsKey = true;
    if (this.needsKey && !sample.isKey) {
      this.dropped += 1;
      return;
    }
    this.needsKey = false;
    this.newestPts = Math.max(this.newestPts, sample.pts);
    this.decoder.decode(new EncodedVideoChunk({
      type: sample.isKey ? "key" : "delta",
      timestamp: Math.round(sample.pts * 1e6),
      duration: Math.round(sample.duration * 1e6),
      data: sample.data,
    }));
  }

  take(frame) {
    const pts = frame.timestamp / 1e6;
    if (this.isCatchingUp) {
      const isOld = pts < this.newestPts - 0.15;
      if (isOld && performance.now() - this.startedMs < CATCH_UP_MS) {
        frame.close();
        return;
      }
      if (!isOld) this.isCatchingUp = false;
    }
    this.pending?.close();
    this.pending = frame;
    if (!this.paintRequest) this.paintRequest = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.paintRequest = 0;
    const frame = this.pending;
    this.pending = null;
    if (!frame) return;
    const { surface } = this;
    if (surface.width !== frame.displayWidth || surface.height !== frame.displayHeight) {
      surface.width = frame.displayWidth;
      surface.height = frame.displayHeight;
    }
    this.context.drawImage(frame, 0, 0, surface.width, surface.height);
    const pts = frame.timestamp / 1e6;
    frame.close();
    this.onPicture(pts);
  }

  broken(error) {
    if (this.isClosed) return;
    const now = performance.now();
    this.errors = this.errors.filter((at) => now - at < ERROR_WINDOW_MS).concat(now);
    if (this.errors.length > ERRORS_ALLOWED || error.name === "NotSupportedError") this.onFail("decode");
    else this.start(); // a torn stream: the next keyframe makes it whole
  }

  close() {
    this.isClosed = true;
    cancelAnimationFrame(this.paintRequest);
    this.pending?.close();
    this.pending = null;
    if (this.decoder && this.decoder.state !== "closed") this.decoder.close();
  }
}
