/* Fast, backward and scrubbing: keyframes only, each put into the buffer and shown by a seek to it.
 *
 * Keyframes lie seconds apart, so the element can't play them; the shuttle shows the one that is due instead. Windows
 * of keyframes are read ahead in the direction of travel; spans without footage are jumped.
 */

import { formatDuration } from "../times.js";
import { NoFootage, readSpan } from "./archive_reader.js";

const HOLE_MS = 1000; // shorter ones need no word
const SEEK_LIMIT_MS = 400;
const WINDOW_S = 24; // of footage, times half the speed

export class Shuttle {
  /** `host`: {camera, stream, query, show(key), onNote(text), onEnd(atMs), onTrouble(error)}. */
  constructor(host) {
    this.host = host;
    this.keys = []; // {pts, bytes, init}, sorted
    this.holes = []; // [[fromMs, toMs]] without footage, within what was read
    this.aborter = new AbortController();
  }

  close() {
    this.aborter.abort();
    cancelAnimationFrame(this.frame);
    this.isClosed = true;
  }

  async read(fromMs, toMs) {
    let init = null;
    const { camera, stream, query } = this.host;
    const got = [];
    let head = null;
    const span = { camera, stream, fromMs, toMs, query: { ...query, keyframes: "1" }, signal: this.aborter.signal };
    for await (const part of readSpan(span)) {
      if (part.kind === "head") head = part;
      else if (part.kind === "init") init = { bytes: part.bytes, mime: head.mime };
      else for (const item of part.items) {
        const key = item.video[0];
        if (key) got.push({ pts: key.pts, bytes: item.bytes.slice(), init });
      }
    }
    for (const key of got) if (!this.keys.some((held) => Math.abs(held.pts - key.pts) < 1e-4)) this.keys.push(key);
    this.keys.sort((a, b) => a.pts - b.pts);
    if (this.keys.length > 400) this.trim();
    return { head, count: got.length };
  }

  trim() {
    const at = this.atMs / 1000;
    this.keys = this.keys.sort((a, b) => Math.abs(a.pts - at) - Math.abs(b.pts - at)).slice(0, 200).sort((a, b) => a.pts - b.pts);
  }

  keyAt(atMs) {
    let found = null;
    for (const key of this.keys) {
      if (key.pts * 1000 > atMs + 1) break;
      found = key;
    }
    return found || this.keys[0] || null;
  }

  /** Travel from `fromMs` at `rate` (negative: backward) until closed or the footage ends. */
  run(fromMs, rate) {
    this.atMs = fromMs;
    this.rate = rate;
    this.edgeMs = fromMs; // read up to here in the direction of travel
    this.fill();
    let lastTick = performance.now();
    const tick = async () => {
      if (this.isClosed) return;
      const now = performance.now();
      // No travel while nothing is there to show, and no leap after a stall.
      if (this.hasKeysAt(this.atMs)) this.atMs += Math.min(now - lastTick, 250) * rate;
      lastTick = now;
      this.leaveHole();
      this.fill();
      if (this.isOver && !this.hasKeysAt(this.atMs)) {
        this.host.onEnd(this.atMs);
        return;
      }
      const key = this.hasKeysAt(this.atMs) ? this.keyAt(this.atMs) : null;
      if (key && key !== this.shown) {
        this.shown = key;
        await this.showWithin(key);
      }
      if (!this.isClosed) this.frame = requestAnimationFrame(tick);
    };
    this.frame = requestAnimationFrame(tick);
  }

  hasKeysAt(atMs) {
    return this.rate > 0 ? atMs < this.edgeMs : atMs > this.edgeMs;
  }

  /** The playhead has come to a hole: go on at its other end. */
  leaveHole() {
    const hole = this.holes.find(([fromMs, toMs]) => (
      this.rate > 0 ? this.atMs >= fromMs && this.atMs < toMs : this.atMs > fromMs && this.atMs <= toMs));
    if (!hole) return;
    const [fromMs, toMs] = hole;
    this.atMs = this.rate > 0 ? toMs : fromMs;
    if (toMs - fromMs > HOLE_MS) this.host.onNote(`Jumped over ${formatDuration(toMs - fromMs)} without footage`);
  }

  showWithin(key) {
    return Promise.race([
      this.host.show(key).catch((error) => this.host.onTrouble(error)),
      new Promise((resolve) => { setTimeout(resolve, SEEK_LIMIT_MS); }),
    ]);
  }

  async fill() {
    const windowMs = WINDOW_S * 1000 * Math.max(1, Math.abs(this.rate) / 2);
    const leftMs = Math.abs(this.edgeMs - this.atMs);
    if (this.isFilling || this.isOver || leftMs > windowMs / 2) return;
    this.isFilling = true;
    const isForward = this.rate > 0;
    const fromMs = isForward ? this.edgeMs : this.edgeMs - windowMs;
    const toMs = isForward ? this.edgeMs + windowMs : this.edgeMs;
    try {
      const { head, count } = await this.read(fromMs, toMs);
      if (isForward) this.advanceForward(head, toMs);
      else this.advanceBackward(head, fromMs, toMs, count);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error instanceof NoFootage) this.jump(isForward ? error.afterMs : error.beforeMs);
      else this.host.onTrouble(error);
    } finally {
      this.isFilling = false;
    }
  }

  advanceForward(head, toMs) {
    const endMs = head.endMs ?? toMs;
    if (endMs >= toMs - 1500) {
      this.edgeMs = Math.max(toMs, endMs);
    } else if (head.nextMs) {
      this.edgeMs = head.nextMs > endMs ? head.nextMs : endMs + 1;
      this.holes.push([endMs, this.edgeMs]);
    } else {
      this.edgeMs = endMs;
      this.isOver = true;
    }
  }

  advanceBackward(head, fromMs, toMs, count) {
    if (!count) {
      this.jump(head.startMs && head.startMs < fromMs ? head.startMs : null);
      return;
    }
    const endMs = head.endMs ?? toMs;
    this.edgeMs = Math.min(fromMs, head.startMs ?? fromMs);
    if (head.startMs > fromMs + 1500) this.edgeMs = head.startMs;
    // What lies after a hole in the window wasn't delivered: read the rest of the window on its own.
    if (endMs < toMs - 1500 && head.nextMs && head.nextMs < toMs) {
      this.holes.push([endMs, head.nextMs]);
      this.read(head.nextMs, toMs).catch(() => {});
    }
  }

  /** Nothing lies beyond the edge until `toMs`, or at all. What was read before it is still shown first. */
  jump(toMs) {
    if (!toMs) {
      this.isOver = true;
      return;
    }
    this.holes.push(this.rate > 0 ? [this.edgeMs, toMs] : [toMs, this.edgeMs]);
    this.edgeMs = toMs;
  }

  /** One keyframe at `atMs`: for scrubbing. The newest wish wins; one request at a time. */
  async scrub(atMs) {
    this.atMs = atMs;
    this.wish = atMs;
    if (this.isFilling) return;
    this.isFilling = true;
    try {
      while (this.wish !== null && !this.isClosed) {
        const wish = this.wish;
        this.wish = null;
        await this.scrubTo(wish);
      }
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof NoFootage)) this.host.onTrouble(error);
    } finally {
      this.isFilling = false;
    }
  }

  async scrubTo(wish) {
    const near = this.keys.find((key) => Math.abs(key.pts * 1000 - wish) < 1000);
    if (!near) {
      try {
        await this.read(wish, wish + 1);
      } catch (error) {
        if (!(error instanceof NoFootage)) throw error;
        return;
      }
    }
    const key = near || this.keyAt(wish);
    if (key && key !== this.shown && Math.abs(key.pts * 1000 - wish) < 60_000) {
      this.shown = key;
      await this.showWithin(key);
    }
  }
}
