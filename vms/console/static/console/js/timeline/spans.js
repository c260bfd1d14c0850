/* What a timeline knows: recordings and gaps of one camera, read piece by piece and kept.
 *
 * A piece is a round length of time that suits the zoom, so that panning reads only what is missing. Pieces that lie
 * wholly in the past are kept; the one that holds "now" is read again every few seconds while it is in sight.
 */

import { callApi } from "../api.js";
import { nowMs } from "../clock.js";
import { isoOf } from "../times.js";

const MIN = 60_000;
const LENGTHS = [10 * MIN, 60 * MIN, 360 * MIN, 1440 * MIN, 7 * 1440 * MIN, 31 * 1440 * MIN, 124 * 1440 * MIN];
const EDGE_REFRESH_MS = 5000;
const SETTLED_AFTER_MS = 120_000; // a piece this old doesn't change any more, but for late causes
const PIECES_KEPT = 64;
const FINEST = 3000; // parts of a piece that can still be told apart on a screen

export class Spans {
  constructor(camera, { stream = "main", onChange, read = null }) {
    Object.assign(this, { camera, stream, onChange });
    this.pieces = new Map();
    this.read = read || ((from, to) => callApi(
      `/api/v1/cameras/${camera}/timeline/?from=${isoOf(from)}&to=${isoOf(to)}&stream=${stream}`
      + `&resolution_ms=${Math.min(86_400_000, Math.max(200, Math.round((to - from) / FINEST)))}`));
  }

  pieceLength(lengthMs) {
    return LENGTHS.find((length) => length >= lengthMs / 3) || LENGTHS.at(-1);
  }

  /** Pieces that cover the span, asking for what is missing. */
  piecesFor(fromMs, toMs) {
    const length = this.pieceLength(toMs - fromMs);
    const now = nowMs();
    const out = [];
    for (let start = Math.floor(fromMs / length) * length; start < Math.min(toMs, now); start += length) {
      const key = `${length} ${start}`;
      let piece = this.pieces.get(key);
      if (!piece) {
        piece = { key, start, end: start + length, recordings: [], gaps: [], state: "empty", readAtMs: 0, failures: 0 };
        this.pieces.set(key, piece);
      }
      piece.usedMs = now;
      out.push(piece);
      this.refresh(piece, now);
    }
    if (this.pieces.size > PIECES_KEPT) this.forgetOld();
    return out;
  }

  refresh(piece, now) {
    if (piece.isReading) return;
    if (piece.state === "failed" && now - piece.readAtMs < Math.min(30_000, 1000 * 2 ** piece.failures)) return;
    if (piece.state === "ready") {
      const wasSettled = piece.readAtMs > piece.end + SETTLED_AFTER_MS;
      if (wasSettled || now - piece.readAtMs < EDGE_REFRESH_MS) return;
    }
    piece.isReading = true;
    this.load(piece);
  }

  async load(piece) {
    try {
      const got = await this.read(piece.start, piece.end);
      const toMs = (span) => ({ ...span, start: Date.parse(span.start), end: span.end ? Date.parse(span.end) : null });
      piece.recordings = (got.recordings || []).map(toMs);
      piece.gaps = (got.gaps || []).map(toMs);
      piece.motion = (got.motion || []).map(toMs);
      piece.state = "ready";
      piece.failures = 0;
    } catch (error) {
      piece.state = piece.state === "ready" ? "ready" : "failed";
      piece.failures += 1;
      piece.error = error.message;
    }
    piece.readAtMs = nowMs();
    piece.isReading = false;
    this.onChange();
  }

  forgetOld() {
    const byUse = [...this.pieces.values()].sort((a, b) => a.usedMs - b.usedMs);
    for (const piece of byUse.slice(0, byUse.length - PIECES_KEPT / 2)) this.pieces.delete(piece.key);
  }

  /** The gap or recording at `ms` as {kind, start, end, cause, detail}, or null where nothing is known. */
  at(ms, pieces) {
    for (const piece of pieces) {
      if (ms < piece.start || ms >= piece.end) continue;
      const inside = (span) => ms >= span.start && ms < (span.end ?? Infinity);
      const gap = piece.gaps.find(inside);
      if (gap) return { kind: "gap", ...gap };
      const recording = piece.recordings.find(inside);
      if (recording) return { kind: "recording", ...recording };
    }
    return null;
  }

  /** The next (direction 1) or previous (-1) place where footage or motion begins, or null when none is known. */
  edgeFrom(ms, direction, pieces) {
    const edges = pieces.flatMap((piece) => [
      ...piece.recordings.filter((span) => span.start > piece.start).map((span) => span.start),
      ...piece.gaps.filter((span) => span.start > piece.start).map((span) => span.start - 3000),
      ...(piece.motion || []).map((span) => span.start),
    ]).sort((a, b) => a - b);
    if (direction > 0) return edges.find((edge) => edge > ms + 500) ?? null;
    return edges.reverse().find((edge) => edge < ms - 2500) ?? null;
  }
}

const CAUSES = {
  unreachable: "The camera did not answer",
  refused: "The camera refused the connection",
  unauthorized: "The camera refused the password",
  busy: "The camera served no further viewer",
  stalled: "The camera sent nothing",
  no_keyframe: "No keyframe came",
  bad_stream: "The stream could not be read",
  schedule: "Not recorded, by schedule",
  disabled: "The camera was switched off",
  server_down: "The recording server was down",
  disk_full: "The disk was full",
  disk_lost: "The disk was lost",
  overload: "The server was overloaded",
  clock_step: "The clock was set",
  purged: "Deleted by retention",
  unknown: "Cause not known",
};

const BEFORE_THE_CAMERA = "Before the camera was added.";

/** Whether nothing was meant to be recorded: such gaps are hatched, not red. */
export const isIntended = ({ cause, detail }) =>
  ["schedule", "disabled", "purged"].includes(cause) || detail === BEFORE_THE_CAMERA;
export const describeCause = (cause) => CAUSES[cause] || "No footage";
