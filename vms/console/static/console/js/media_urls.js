/* Signed media addresses: asked from the API, kept until shortly before they expire.
 *
 * Each answer names the recorder's own port and a way through the web service for browsers that can't reach it.
 * Which of the two works is learnt once per page and session.
 */

import { callApi } from "./api.js";
import { nowMs } from "./clock.js";

const SPARE_MS = 20_000; // renew this long before the end
const known = new Map();
const PREFERENCE = "heron.media-way";

function preference() {
  try { return sessionStorage.getItem(PREFERENCE) || ""; } catch { return ""; }
}

let way = preference();

/** "direct" or "proxy": remember what worked. */
export function noteWay(next) {
  way = next;
  try { sessionStorage.setItem(PREFERENCE, next); } catch { /* private mode: learnt again on the next page */ }
}

async function ask(purpose, camera, stream) {
  const key = `${purpose} ${camera} ${stream}`;
  const held = known.get(key);
  if (held && (held.pending || held.expiresMs - SPARE_MS > nowMs())) return held.answer;
  const answer = callApi(`/api/v1/cameras/${camera}/${purpose}/?stream=${stream}`);
  known.set(key, { answer, pending: true });
  try {
    const got = await answer;
    known.set(key, { answer: got, expiresMs: Date.parse(got.expires_at) || 0 });
    return got;
  } catch (error) {
    known.delete(key);
    throw error;
  }
}

export function forgetUrls(camera) {
  for (const key of known.keys()) if (key.includes(camera)) known.delete(key);
}

const absolute = (url) => new URL(url, location.href);

function socketUrl(url) {
  const out = absolute(url);
  out.protocol = out.protocol.replace("http", "ws");
  return out.href;
}

const inOrder = (direct, proxy) => {
  const both = [{ way: "direct", url: direct }, { way: "proxy", url: proxy }].filter((one) => one.url);
  return way === "proxy" ? both.reverse() : both;
};

/** Live: [{way, url}] of WebSockets, the likelier first. */
export async function liveUrls(camera, stream) {
  const got = await ask("live", camera, stream);
  return inOrder(got.websocket_url && socketUrl(got.websocket_url), got.proxy_websocket_url && socketUrl(got.proxy_websocket_url));
}

/** Playback: [{way, url}] of bases that end with a slash, the likelier first. */
export async function playbackUrls(camera, stream) {
  const got = await ask("playback", camera, stream);
  return inOrder(got.base_url && absolute(got.base_url).href, got.proxy_base_url && absolute(got.proxy_base_url).href);
}

/** Ask ahead, so that a click needn't wait for the answer. Failures show when the click comes. */
export function prefetchLive(camera, stream) {
  ask("live", camera, stream).catch(() => {});
}
