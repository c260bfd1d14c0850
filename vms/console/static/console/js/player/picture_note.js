/* What a tile says when it has no picture: since when, why, and what happens next. Pure: facts in, words out. */

import { formatDuration } from "../times.js";

const GOOD = new Set(["recording", "live"]);
const CONNECTING_IS_NEWS_MS = 700;

const REASONS = {
  connecting: "Connecting to the camera.",
  stalled: "The camera is connected but sends nothing.",
  unauthorized: "The camera refuses the user name or password. Correct them under Set-up, Cameras.",
  refused: "The camera refuses the connection.",
  unreachable: "The camera does not answer.",
  busy: "The camera serves no further viewer now.",
  no_video: "The camera's stream has no video.",
  unknown_codec: "The camera sends a codec that can't be recorded.",
  error: "The camera's stream can't be read.",
  stopped: "The recording service is stopped.",
  unknown: "The recording server has not reported yet.",
};

/**
 * Words for a tile, or null while it has a picture.
 *
 * `facts`: {nowMs, startedMs, lastPictureMs, camera: {state, detail, sinceMs, retryAtMs}|null,
 * trouble: {code, detail, sinceMs, retryAtMs}|null}, all ms of one clock.
 */
export function describeNoPicture({ nowMs, startedMs, lastPictureMs, camera, trouble }) {
  const quietMs = nowMs - Math.max(lastPictureMs || 0, startedMs);
  if (camera?.state === "disabled") {
    return { title: "Switched off", why: "This camera is disabled under Set-up, Cameras.", next: "", tone: "off" };
  }
  if (lastPictureMs && nowMs - lastPictureMs < 3000) return null;
  if (!lastPictureMs && quietMs < CONNECTING_IS_NEWS_MS) return null;
  const cameraIsDown = camera && camera.state && !GOOD.has(camera.state);
  if (!lastPictureMs && quietMs < 4000 && !trouble && (!cameraIsDown || camera.state === "connecting")) {
    return { title: "Connecting", why: "", next: "", tone: "wait" };
  }
  const sinceMs = cameraIsDown && camera.sinceMs ? camera.sinceMs : lastPictureMs || trouble?.sinceMs || startedMs;
  const why = cameraIsDown
    ? camera.detail || REASONS[camera.state] || ""
    : trouble?.detail || "Waiting for the next picture.";
  const retryAtMs = (cameraIsDown && camera.retryAtMs) || trouble?.retryAtMs || 0;
  const waitMs = retryAtMs - nowMs;
  const next = waitMs > 500 ? `Trying again in ${formatDuration(waitMs)}.` : "Trying again now.";
  return { title: `No picture for ${formatDuration(nowMs - sinceMs)}`, why, next, tone: "bad" };
}
