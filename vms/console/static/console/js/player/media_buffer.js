/* A MediaSource with one SourceBuffer whose operations run strictly one after the other. Used by live and playback. */

export class MediaBuffer {
  /** `durationS` finite makes every instant before it seekable; leave it out for live. */
  constructor(video, { durationS = null, onError = () => {} } = {}) {
    this.video = video;
    this.durationS = durationS;
    this.onError = onError;
    this.queue = Promise.resolve();
    this.source = new MediaSource();
    this.objectUrl = URL.createObjectURL(this.source);
    this.opened = new Promise((resolve) => {
      this.source.addEventListener("sourceopen", resolve, { once: true });
    });
    video.src = this.objectUrl;
  }

  static isSupported = (mime) => typeof MediaSource === "function" && MediaSource.isTypeSupported(mime);

  /** Make ready for `mime`; the first call makes the buffer, later ones change its type where that differs. */
  setMime(mime) {
    return this.run(async () => {
      await this.opened;
      if (this.isClosed) return;
      if (!this.buffer) {
        if (this.durationS) this.source.duration = this.durationS;
        this.buffer = this.source.addSourceBuffer(mime);
        this.buffer.mode = "segments";
      } else if (mime !== this.mime) {
        this.buffer.changeType(mime);
      }
      this.mime = mime;
    });
  }

  append(bytes) {
    return this.run(() => this.operate((buffer) => buffer.appendBuffer(bytes)));
  }

  remove(fromS, toS) {
    if (!(toS > fromS)) return Promise.resolve();
    return this.run(() => this.operate((buffer) => buffer.remove(fromS, toS)));
  }

  clear() {
    return this.run(async () => {
      if (!this.buffer || this.source.readyState !== "open") return;
      this.buffer.abort();
      await this.operate((buffer) => buffer.remove(0, Infinity));
    });
  }

  run(job) {
    const next = this.queue.then(() => (this.isClosed ? undefined : job()));
    this.queue = next.catch((error) => {
      if (!this.isClosed) this.onError(error);
    });
    return next;
  }

  operate(act) {
    const { buffer } = this;
    if (!buffer || this.source.readyState !== "open") return Promise.reject(new Error("media source closed"));
    return new Promise((resolve, reject) => {
      const done = () => {
        buffer.removeEventListener("updateend", done);
        buffer.removeEventListener("error", failed);
        resolve();
      };
      const failed = () => {
        buffer.removeEventListener("updateend", done);
        buffer.removeEventListener("error", failed);
        reject(new Error("the browser refused the stream"));
      };
      buffer.addEventListener("updateend", done);
      buffer.addEventListener("error", failed);
      try {
        act(buffer);
      } catch (error) {
        buffer.removeEventListener("updateend", done);
        buffer.removeEventListener("error", failed);
        reject(error);
      }
    });
  }

  /** Buffered spans [[startS, endS]]; empty when closed. */
  get ranges() {
    const out = [];
    if (!this.buffer || this.source.readyState !== "open") return out;
    const { buffered } = this.buffer;
    for (let n = 0; n < buffered.length; n += 1) out.push([buffered.start(n), buffered.end(n)]);
    return out;
  }

  get endS() {
    return this.ranges.at(-1)?.[1] ?? 0;
  }

  /** The range that holds `atS` (with a tolerance of 50 ms), or null. */
  rangeAt(atS) {
    return this.ranges.find(([from, to]) => atS >= from - 0.05 && atS < to) || null;
  }

  close() {
    this.isClosed = true;
    if (this.video.src === this.objectUrl) {
      this.video.removeAttribute("src");
      this.video.load();
    }
    URL.revokeObjectURL(this.objectUrl);
  }
}

export function makeVideo() {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.disablePictureInPicture = true;
  video.tabIndex = -1;
  return video;
}
