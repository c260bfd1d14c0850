/* Presentation times of the frames in the buffer, for exact steps. Times in seconds of UTC, kept sorted. */

export class FrameTimes {
  constructor() {
    this.times = [];
  }

  /** Index of the last frame at or before `atS`, -1 where there is none. */
  indexAt(atS) {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= atS + 1e-4) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  add(atS) {
    const { times } = this;
    if (!times.length || atS > times.at(-1)) {
      times.push(atS);
      return;
    }
    const at = this.indexAt(atS);
    if (at >= 0 && Math.abs(times[at] - atS) < 1e-4) return;
    times.splice(at + 1, 0, atS);
  }

  /**
   * The frame `count` frames from the one shown at `atS`, or null where the buffer doesn't reach so far. `slackS`: how
   * much later than the newest known frame `atS` may be for that frame to be the one shown.
   */
  step(atS, count, slackS = 0.2) {
    const at = this.indexAt(atS);
    if (at < 0 || atS > this.times.at(-1) + slackS) return null;
    return this.times[at + count] ?? null;
  }

  dropBefore(atS) {
    const at = this.indexAt(atS);
    if (at > 0) this.times.splice(0, at);
  }

  clear() {
    this.times.length = 0;
  }
}
