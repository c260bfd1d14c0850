/* The server's clock, as well as a browser can know it.
 *
 * Pictures carry UTC of the server, so a browser whose clock is wrong would show wrong latencies and a wrong live
 * edge. Each answer bounds the offset: a server time that was true somewhere between asking and receiving. The
 * bounds of many answers are intersected; the offset is zero unless they prove otherwise.
 */

let lowMs = -Infinity;
let highMs = Infinity;
let offsetMs = 0;

/**
 * The server's clock showed at least `serverMs` and less than `serverMs + vagueMs` somewhere between `askedMs` and
 * `receivedMs` (Date.now()).
 */
export function noteServerTime(serverMs, askedMs, receivedMs, vagueMs = 1) {
  if (!Number.isFinite(serverMs)) return;
  let low = serverMs - receivedMs;
  let high = serverMs + vagueMs - askedMs;
  if (low > highMs || high < lowMs) {
    // The bounds contradict: one of the clocks was set. What was learnt before no longer holds.
    lowMs = -Infinity;
    highMs = Infinity;
  }
  lowMs = low = Math.max(low, lowMs);
  highMs = high = Math.min(high, highMs);
  offsetMs = low <= 0 && high >= 0 ? 0 : (low + high) / 2;
}

// Whole seconds, and servers write the header anew only once a second.
const DATE_VAGUE_MS = 2200;

/** Feed the `Date` header of an answer. */
export function noteServerDate(header, askedMs, receivedMs) {
  noteServerTime(Date.parse(header || ""), askedMs, receivedMs, DATE_VAGUE_MS);
}

/** Server time, ms since the Unix epoch. */
export const nowMs = () => Date.now() + offsetMs;

/** Server time, s since the Unix epoch, with the fraction of the monotonic clock. */
export const nowS = () => (performance.timeOrigin + performance.now() + driftMs() + offsetMs) / 1000;

// performance.timeOrigin doesn't follow when the system clock is set; Date.now() does.
let drift = 0;
let driftCheckedAt = -Infinity;
function driftMs() {
  const at = performance.now();
  if (at - driftCheckedAt > 5000) {
    driftCheckedAt = at;
    const wrong = Date.now() - (performance.timeOrigin + at);
    drift = Math.abs(wrong) > 5 ? wrong : 0;
  }
  return drift;
}
