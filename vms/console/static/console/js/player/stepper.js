/* Frame by frame: exact within the buffer, which is read anew around the frame where it ends. */

const BACK_S = 4; // read this much before a step back beyond the buffer
const LOOK_MS = 25;
const PATIENCE_MS = 2000;
const SAME_FRAME_S = 0.2; // the newest known frame is the one shown when it is no older than this

export class Stepper {
  constructor(playback) {
    this.playback = playback;
  }

  async step(count) {
    const { playback } = this;
    const baseS = playback.stepTargetS ?? playback.atS;
    const target = playback.isSparse ? null : playback.frames.step(baseS, count, SAME_FRAME_S);
    if (target !== null) {
      playback.showFrame(target);
    } else if (!this.isRefilling) {
      this.isRefilling = true;
      await this.refillAround(baseS, count);
      this.isRefilling = false;
    }
  }

  async refillAround(baseS, count) {
    const { playback } = this;
    playback.startFeed((baseS - (count < 0 ? BACK_S : 0)) * 1000, baseS);
    const { feed } = playback;
    const find = (slackS = 0.001) => playback.frames.step(baseS, count, slackS); // not before the frame itself is there
    for (let n = 0; n < PATIENCE_MS / LOOK_MS && find() === null && feed.isRunning; n += 1) {
      await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
    }
    if (playback.isClosed || playback.feed !== feed) return;
    const target = find(SAME_FRAME_S);
    if (target !== null) playback.showFrame(target);
    else playback.handlers.onNote(count < 0 ? "No earlier frame" : "No later frame yet");
  }
}
