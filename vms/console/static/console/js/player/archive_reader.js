/* Reading recorded spans from the media service as a stream of whole fragments. */

import { noteServerDate } from "../clock.js";
import { forgetUrls, noteWay, playbackUrls } from "../media_urls.js";
import { Mp4Stream, parseFragment, parseInit, timescalesOf } from "./mp4.js";

/** The asked span holds nothing; `beforeMs`, `afterMs`: the nearest recorded moments, or null. */
export class NoFootage extends Error {
  constructor(beforeMs, afterMs) {
    super("Nothing is recorded there.");
    Object.assign(this, { beforeMs, afterMs });
  }
}

export class ReadFailed extends Error {
  constructor(detail, { isRefusal = false, code = "" } = {}) {
    super(detail || "The recording server does not answer.");
    Object.assign(this, { isRefusal, code });
  }
}

const msOf = (header) => (header ? Number(header) : null);

async function fetchFirstAnswering(camera, stream, path, signal) {
  const ways = await playbackUrls(camera, stream);
  for (const [n, one] of ways.entries()) {
    try {
      const askedMs = Date.now();
      const response = await fetch(one.url + path, { signal, mode: "cors", credentials: "omit" });
      noteServerDate(response.headers.get("Date"), askedMs, Date.now());
      noteWay(one.way);
      return response;
    } catch (error) {
      if (error.name === "AbortError" || n === ways.length - 1) throw error;
    }
  }
  throw new ReadFailed("No recording server is named for this camera.");
}

async function refuse(response, camera) {
  const body = await response.json().catch(() => ({}));
  if (response.status === 404) {
    const nearest = body.nearest || {};
    throw new NoFootage(Date.parse(nearest.before) || null, Date.parse(nearest.after) || null);
  }
  if (response.status === 403) forgetUrls(camera);
  const told = body.errors?.[0];
  throw new ReadFailed(told?.detail, { isRefusal: response.status === 403, code: told?.code });
}

/**
 * Yields {kind: "head", mime, startMs, endMs, nextMs}, then {kind: "init", bytes, tracks} and {kind: "fragments",
 * items: [{bytes, video: samples}]} as they arrive. `endMs` ends what is delivered, `nextMs` begins the next footage.
 * Throws NoFootage, ReadFailed, AbortError.
 */
export async function* readSpan({ camera, stream, fromMs, toMs, query = {}, signal }) {
  const wanted = new URLSearchParams({ from: String(Math.floor(fromMs)), to: String(Math.ceil(toMs)), ...query });
  let response;
  try {
    response = await fetchFirstAnswering(camera, stream, `span?${wanted}`, signal);
  } catch (error) {
    if (error.name === "AbortError" || error instanceof ReadFailed) throw error;
    throw new ReadFailed(error.message?.includes("fetch") ? "" : error.message);
  }
  if (!response.ok) await refuse(response, camera);
  yield {
    kind: "head",
    mime: response.headers.get("X-Heron-Mime") || response.headers.get("Content-Type"),
    startMs: msOf(response.headers.get("X-Heron-Start-Ms")),
    endMs: msOf(response.headers.get("X-Heron-End-Ms")),
    nextMs: msOf(response.headers.get("X-Heron-Next-Ms")),
  };
  const cutter = new Mp4Stream();
  const reader = response.body.getReader();
  let timescales = {};
  let videoTrack = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      let items = [];
      for (const part of cutter.feed(value)) {
        if (part.kind === "init") {
          if (items.length) yield { kind: "fragments", items };
          items = [];
          const tracks = parseInit(part.bytes);
          timescales = timescalesOf(tracks);
          videoTrack = tracks.video?.id || 0;
          yield { kind: "init", bytes: part.bytes.slice(), tracks };
        } else {
          const trafs = parseFragment(part.bytes, timescales);
          items.push({ bytes: part.bytes, video: trafs.filter((traf) => traf.track === videoTrack).flatMap((traf) => traf.samples) });
        }
      }
      if (items.length) yield { kind: "fragments", items };
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
