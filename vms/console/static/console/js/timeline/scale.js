/* The window of time that a timeline shows, and its tick marks. Pure: no DOM, no clock.
 *
 * Times are ms since the Unix epoch. Ticks sit on round *local* times: from an hour upwards they are made from local
 * calendar fields, so that on the days when clocks change the labels stay true (an hour is missing or comes twice).
 */

export const SHORTEST_MS = 1000;
export const LONGEST_MS = 400 * 86_400_000;

const S = 1000;
const MIN = 60 * S;
const HOUR = 60 * MIN;
const DAY = 24 * HOUR;
const STEPS = [
  [100, "ms"], [200, "ms"], [500, "ms"], [S, "s"], [2 * S, "s"], [5 * S, "s"], [10 * S, "s"], [15 * S, "s"], [30 * S, "s"],
  [MIN, "min"], [2 * MIN, "min"], [5 * MIN, "min"], [10 * MIN, "min"], [15 * MIN, "min"], [20 * MIN, "min"], [30 * MIN, "min"],
  [HOUR, "h"], [2 * HOUR, "h"], [3 * HOUR, "h"], [6 * HOUR, "h"], [12 * HOUR, "h"],
  [DAY, "d"], [2 * DAY, "d"], [7 * DAY, "d"], [14 * DAY, "d"], [30 * DAY, "month"], [91 * DAY, "month"],
];

/** {stepMs, unit} so that labels are at least `minPx` apart. */
export function chooseStep(lengthMs, widthPx, minPx = 84) {
  const wanted = (lengthMs / Math.max(1, widthPx)) * minPx;
  const [stepMs, unit] = STEPS.find(([step]) => step >= wanted) || STEPS.at(-1);
  return { stepMs, unit };
}

/** Instants of the ticks in [fromMs, toMs], rising. */
export function ticksBetween(fromMs, toMs, { stepMs, unit }) {
  const out = [];
  const at = new Date(fromMs);
  let make = null;
  if (unit === "month") {
    const months = stepMs > 60 * DAY ? 3 : 1;
    const first = Math.floor(at.getMonth() / months) * months;
    make = (n) => new Date(at.getFullYear(), first + n * months, 1).getTime();
  } else if (unit === "d") {
    const days = stepMs / DAY;
    // Counted from a fixed day, so that panning never shifts which days carry a label.
    const dayNumber = Math.floor((Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) / DAY - 4) / days) * days + 4;
    const base = new Date(dayNumber * DAY);
    make = (n) => new Date(base.getUTCFullYear(), base.getUTCMonth(), base.getUTCDate() + n * days).getTime();
  } else if (unit === "h") {
    const hours = stepMs / HOUR;
    const first = Math.floor(at.getHours() / hours) * hours;
    make = (n) => new Date(at.getFullYear(), at.getMonth(), at.getDate(), first + n * hours).getTime();
  } else {
    const hour = new Date(fromMs);
    hour.setMinutes(0, 0, 0);
    const first = hour.getTime() + Math.floor((fromMs - hour.getTime()) / stepMs) * stepMs;
    make = (n) => first + n * stepMs;
  }
  for (let n = 0; n < 2000; n += 1) {
    const tick = make(n);
    if (tick > toMs) break;
    if (tick >= fromMs && tick !== out.at(-1)) out.push(tick);
  }
  return out;
}

const two = (n) => String(n).padStart(2, "0");
const monthNames = new Intl.DateTimeFormat("en-GB", { month: "short" });
const dayNames = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric" });
const nameOfDay = (at) => dayNames.format(at).replaceAll(",", "");

/** The label of a tick; `isMajor` where it begins a greater unit (a day among hours, a year among months). */
export function labelTick(ms, unit) {
  const at = new Date(ms);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0 && at.getMilliseconds() === 0;
  const day = `${nameOfDay(at)} ${monthNames.format(at)}`;
  if (unit === "month") {
    const isYear = at.getMonth() === 0;
    return { text: isYear ? String(at.getFullYear()) : monthNames.format(at), isMajor: isYear };
  }
  if (unit === "d") return { text: at.getDate() === 1 ? day : nameOfDay(at), isMajor: at.getDate() === 1 };
  if (isMidnight) return { text: day, isMajor: true };
  const hm = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (unit === "s") return { text: `${hm}:${two(at.getSeconds())}`, isMajor: at.getSeconds() === 0 };
  if (unit === "ms") return { text: `${two(at.getMinutes())}:${two(at.getSeconds())}.${Math.floor(at.getMilliseconds() / 100)}`, isMajor: at.getMilliseconds() === 0 };
  return { text: hm, isMajor: false };
}

export class Scale {
  constructor(fromMs, toMs) {
    this.fromMs = fromMs;
    this.toMs = toMs;
    this.widthPx = 1;
  }

  get lengthMs() { return this.toMs - this.fromMs; }
  xOf(ms) { return ((ms - this.fromMs) / this.lengthMs) * this.widthPx; }
  msAt(x) { return this.fromMs + (x / this.widthPx) * this.lengthMs; }

  pan(byMs) {
    this.fromMs += byMs;
    this.toMs += byMs;
  }

  /** Zoom so that `aroundMs` stays where it is. `factor` > 1 shows more time. */
  zoom(factor, aroundMs) {
    const length = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, this.lengthMs * factor));
    const share = (aroundMs - this.fromMs) / this.lengthMs;
    this.fromMs = aroundMs - share * length;
    this.toMs = this.fromMs + length;
  }

  /** Keep the window where there can be footage: at most a tenth of it lies after `nowMs`. */
  clampTo(nowMs) {
    const latest = nowMs + this.lengthMs * 0.1;
    if (this.toMs > latest) this.pan(latest - this.toMs);
  }

  /** Bring `ms` into sight, by as little as needed. Whether something moved. */
  reveal(ms) {
    const margin = this.lengthMs * 0.05;
    if (ms < this.fromMs + margin) this.pan(ms - this.fromMs - margin * 4);
    else if (ms > this.toMs - margin) this.pan(ms - this.toMs + margin * 4);
    else return false;
    return true;
  }
}
