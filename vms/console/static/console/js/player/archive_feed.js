/* Fills a MediaBuffer with recorded footage from one moment on, some seconds ahead of the playhead.
 *
 * A read streams: the first picture needs the first bytes only, and no more is taken than fits ahead. What is read
 * twice (each span begins at the keyframe before it) is appended once. Holes are left out; at the live edge it waits
 * for more. One feed serves one run from a seek to the next: `close()` ends it.
 *
 * `host`: {camera, stream, media, frames, query, initShown, positionS(), rate(), onPlace(atS, wantedS), onNote(text),
 * onTrouble(error)}; `query` and `initShown` are written, for they outlive the feed.
 */

import { nowMs } from "../clock.js";
import { NoFootage, readSpan } from "./archive_reader.js";
import { MediaBuffer } from "./media_buffer.js";
import { joinBytes, sameBytes } from "./mp4.js";

const READ_MS = 60_000; // asked at once; read only as far as needed
const AHEAD_S = 6; // at 1x
const HOLE_MS = 1000; // shorter ones need no jump
const EDGE_MS = 1300; // so close to now there is hardly anything to read
const FAILURES_ALLOWED = 4;

export class ArchiveFeed {
  /** Reads from `fromMs`; `showS` is the moment to show first. */
  constructor(host, fromMs, showS = fromMs / 1000) {
    this.host = host;
    this.showS = showS;
    this.isPlaced = false;
    this.lastDts = -Infinity;
    this.aborter = new AbortController();
    this.isRunning = true;
    this.run(fromMs).catch((error) => {
      this.isRunning = false;
      if (!this.isClosed && error.name !== "AbortError") host.onTrouble(error);
    });
  }

  get isClosed() { return this.aborter.signal.aborted; }

  close() {
    this.isRunning = false;
    this.aborter.abort();
  }

  async run(fromMs) {
    let atMs = fromMs;
    let failures = 0;
    while (!this.isClosed) {
      try {
        const waitMs = atMs + EDGE_MS - nowMs();
        if (this.isPlaced && waitMs > 0) await this.rest(waitMs);
        const head = await this.readOnce(atMs);
        failures = 0;
        atMs = await this.afterSpan(head, atMs);
      } catch (error) {
        if (error.name === "AbortError" || this.isClosed) return;
        if (error instanceof NoFootage) {
          atMs = await this.afterNothing(error, atMs);
        } else {
          failures += 1;
          if (error.code === "transcode_limit" || error.isFinal || failures > FAILURES_ALLOWED) throw error;
          await this.rest(300 * 2 ** failures);
        }
      }
    }
  }

  /** Where to read on. */
  async afterSpan(head, atMs) {
    const endMs = Math.max(head.endMs ?? atMs, this.lastDts > 0 ? this.lastDts * 1000 : 0);
    if (head.nextMs && head.nextMs > endMs + HOLE_MS) return head.nextMs;
    if (endMs > atMs + 1) return endMs;
    await this.rest(400);
    return atMs;
  }

  async afterNothing(error, atMs) {
    if (error.afterMs && error.afterMs > atMs) return error.afterMs;
    if (!this.isPlaced && error.beforeMs) {
      if (nowMs() - atMs > 5000) this.host.onNote("Nothing is recorded after this moment");
      this.showS = error.beforeMs / 1000 - 0.5;
      return this.showS * 1000;
    }
    if (!this.isPlaced) throw Object.assign(error, { isFinal: true });
    await this.rest(700);
    return atMs;
  }

  async readOnce(atMs) {
    const { host } = this;
    let head = null;
    const span = {
      camera: host.camera, stream: host.stream, fromMs: atMs, toMs: atMs + READ_MS, query: host.query, signal: this.aborter.signal,
    };
    for await (const part of readSpan(span)) {
      if (this.isClosed) break;
      if (part.kind === "head") {
        head = part;
        if (!MediaBuffer.isSupported(head.mime)) return this.askForOther(atMs);
      } else if (part.kind === "init") {
        if (!sameBytes(part.bytes, host.initShown)) {
          host.media.setMime(head.mime);
          await host.media.append(part.bytes);
          host.initShown = part.bytes;
          this.lastDts = -Infinity;
        }
      } else {
        await this.take(part.items);
        await this.waitForRoom();
      }
    }
    return head || { endMs: atMs };
  }

  /** The browser can't play the recording as it is: have it transcoded. */
  askForOther(atMs) {
    const { host } = this;
    if (host.query.transcode) throw Object.assign(new Error("This browser can't play these recordings."), { isFinal: true });
    host.query = { ...host.query, transcode: "1" };
    host.onNote("Converted for this browser");
    return { endMs: atMs + 2, nextMs: atMs };
  }

  async take(items) {
    const fresh = [];
    for (const item of items) {
      const first = item.video[0];
      if (first) {
        if (first.dts <= this.lastDts + 1e-5) continue;
        this.lastDts = item.video.at(-1).dts;
        for (const sample of item.video) this.host.frames.add(sample.pts);
      }
      fresh.push(item.bytes);
    }
    if (!fresh.length || this.isClosed) return;
    await this.host.media.append(joinBytes(fresh));
    if (!this.isPlaced && !this.isClosed) this.place();
  }

  place() {
    const range = this.host.media.ranges.at(-1);
    if (!range || range[1] <= this.showS) return;
    this.isPlaced = true;
    this.host.onPlace(Math.max(this.showS, range[0]), this.showS);
  }

  async waitForRoom() {
    const aheadS = AHEAD_S * Math.max(1, this.host.rate());
    while (!this.isClosed && this.isPlaced && this.host.media.endS - this.host.positionS() > aheadS) await this.rest(150);
  }

  rest(ms) {
    const { signal } = this.aborter;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }
}
