/* One live picture: a link, and the best rung of the ladder WebCodecs, MSE, MJPEG that works here.
 *
 * A rung that can't decode hands over to the next; when none of the first two can, the server is asked to transcode,
 * and pictures as JPEG come last. `surface` is a box that always holds the current rung's picture.
 */

import { LiveLink } from "./live_link.js";
import { parseFragment, parseInit, timescalesOf } from "./mp4.js";
import { MjpegRung } from "./rung_mjpeg.js";
import { MseRung } from "./rung_mse.js";
import { WebCodecsRung } from "./rung_webcodecs.js";

const LADDER = [WebCodecsRung, MseRung, MjpegRung];

export class LiveView {
  /** `forcedRung`: only this one. `handlers`: onPicture(ptsS|null), onTrouble(trouble), onHello(message). */
  constructor({ camera, stream, forcedRung = "", sound = false, handlers }) {
    Object.assign(this, { camera, stream, sound, handlers });
    this.surface = document.createElement("div");
    this.surface.className = "surface";
    this.ladder = LADDER.filter((rung) => rung.isAvailable() && (!forcedRung || rung.rung === forcedRung));
    if (sound && !forcedRung) this.ladder = this.ladder.filter((rung) => rung !== WebCodecsRung);
    this.step = 0;
    this.transcode = false;
    this.pictures = 0;
    this.droppedBefore = 0;
  }

  get rungName() {
    return this.ladder[this.step]?.rung || "none";
  }

  get dropped() {
    return this.droppedBefore + (this.rung?.dropped || 0);
  }

  start() {
    if (!this.ladder.length) {
      this.handlers.onTrouble({ code: "no_player", detail: "This browser can't show video this way." });
      return;
    }
    this.openRung();
  }

  openRung() {
    if (this.isClosed) return;
    this.link?.close();
    this.rung?.close();
    this.tracks = null;
    const Rung = this.ladder[this.step];
    let rung = null;
    const isCurrent = () => rung && this.rung === rung && !this.isClosed;
    rung = new Rung({
      sound: this.sound,
      onPicture: (pts) => isCurrent() && this.shown(pts),
      onFail: (reason) => queueMicrotask(() => isCurrent() && this.stepDown(reason)),
    });
    this.rung = rung;
    this.fresh = rung.surface; // lies below the old picture until it has its first own
    this.surface.prepend(rung.surface);
    const query = {};
    if (this.transcode) query.transcode = "1";
    if (this.sound) query.audio = "1";
    this.link = new LiveLink({
      camera: this.camera,
      stream: this.stream,
      query,
      handlers: {
        onOpen: () => Rung === MjpegRung && this.openPictures(),
        onHello: (hello) => { this.hello = hello; this.handlers.onHello?.(hello); },
        onInit: (bytes) => this.configure(bytes),
        onFragment: (bytes) => this.push(bytes),
        onTrouble: (trouble) => this.handlers.onTrouble(trouble),
      },
    });
    this.link.open();
  }

  configure(bytes) {
    if (this.rung instanceof MjpegRung) return;
    try {
      this.tracks = parseInit(bytes);
      this.timescales = timescalesOf(this.tracks);
      this.rung.configure(this.hello, this.tracks, bytes);
    } catch (error) {
      this.stepDown(`bad_init ${error.message}`);
    }
  }

  push(bytes) {
    if (!this.tracks || this.rung instanceof MjpegRung) return;
    let trafs = null;
    try {
      trafs = parseFragment(bytes, this.timescales);
    } catch {
      return; // one broken fragment: the next keyframe makes it whole
    }
    this.rung.push(trafs, bytes);
  }

  openPictures() {
    const { url } = this.link;
    this.link.close(); // only its address was needed
    this.rung.open(url);
  }

  shown(pts) {
    this.pictures += 1;
    this.link.notePicture();
    if (this.fresh) {
      while (this.fresh.nextSibling) this.fresh.nextSibling.remove();
      this.fresh = null;
    }
    this.handlers.onPicture(pts);
  }

  stepDown(reason) {
    this.droppedBefore += this.rung?.dropped || 0;
    this.lastFailure = reason;
    const next = this.ladder[this.step + 1];
    if ((!next || next === MjpegRung) && !this.transcode && this.rungName !== "mjpeg") {
      this.transcode = true;
      this.step = 0;
    } else if (next) {
      this.step += 1;
    } else {
      this.step = 0;
      this.transcode = false;
      this.link?.close();
      const retryAtMs = Date.now() + 10_000;
      this.handlers.onTrouble({ code: "no_rung", detail: "This browser could not decode the picture.", retryAtMs });
      this.retryTimer = setTimeout(() => this.openRung(), 10_000);
      return;
    }
    this.openRung();
  }

  hurry() {
    this.link?.hurry();
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.retryTimer);
    this.link?.close();
    this.rung?.close();
    this.surface.remove();
  }
}
