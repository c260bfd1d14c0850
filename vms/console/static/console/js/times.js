/* Times for people: local time with its zone, durations in words. Only Intl decides what local time is. */

const two = (n) => String(n).padStart(2, "0");

/** 14:32:07 or, with ms, 14:32:07.480; local time. */
export function formatClock(ms, withMs = false) {
  const at = new Date(ms);
  const base = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return withMs ? `${base}.${String(Math.floor(((ms % 1000) + 1000) % 1000)).padStart(3, "0")}` : base;
}

export function formatDate(ms) {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

// The pages are in English; day before month, as in the rest of them.
const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
/** Fri 20 Nov */
export const formatDay = (ms) => weekday.format(new Date(ms)).replaceAll(",", "");

const zoneName = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });
/** CET, CEST, GMT+5:30: the zone's name at that moment. */
export function formatZone(ms) {
  return zoneName.formatToParts(new Date(ms)).find((part) => part.type === "timeZoneName")?.value || "";
}

/** 8 s, 2 min 14 s, 3 h 5 min, 4 d 2 h: two units at most. */
export function formatDuration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  const pair = (big, bigUnit, small, smallUnit) => (small ? `${big} ${bigUnit} ${small} ${smallUnit}` : `${big} ${bigUnit}`);
  if (s < 3600) return pair(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86400) return pair(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return pair(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
}

export const isoOf = (ms) => new Date(Math.round(ms)).toISOString();
