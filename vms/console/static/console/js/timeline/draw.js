/* Paints a timeline on a canvas. Pure towards the outside: everything comes in, only pixels go out. */

import { chooseStep, labelTick, ticksBetween } from "./scale.js";
import { isIntended } from "./spans.js";

const RULER_PX = 20;
const FONT = '11px ui-monospace, "JetBrains Mono", "DejaVu Sans Mono", monospace';

/** The theme's colours as a canvas understands them. */
export function readPalette(element) {
  const probe = document.createElement("i");
  probe.hidden = true;
  element.append(probe);
  const get = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    background: get("--timeline-bg"), track: get("--timeline-track"), footage: get("--timeline-footage"),
    gap: get("--timeline-gap"), hatch: get("--timeline-hatch"), line: get("--line"), text: get("--text-2"),
    major: get("--text"), playhead: get("--timeline-playhead"), band: get("--accent"), bandFill: get("--accent-weak"),
    motion: get("--motion"), focus: get("--accent"),
  };
  probe.remove();
  return palette;
}

let hatch = { key: "", pattern: null };
function hatchPattern(context, palette, ratio) {
  const key = `${palette.hatch} ${palette.track} ${ratio}`;
  if (hatch.key === key) return hatch.pattern;
  const tile = document.createElement("canvas");
  tile.width = tile.height = Math.round(8 * ratio);
  const pen = tile.getContext("2d");
  pen.fillStyle = palette.track;
  pen.fillRect(0, 0, tile.width, tile.height);
  pen.strokeStyle = palette.hatch;
  pen.lineWidth = 1.5 * ratio;
  pen.beginPath();
  for (const shift of [-1, 0, 1]) {
    pen.moveTo((shift * 8 - 1) * ratio, 9 * ratio);
    pen.lineTo((shift * 8 + 9) * ratio, -1 * ratio);
  }
  pen.stroke();
  hatch = { key, pattern: context.createPattern(tile, "repeat") };
  hatch.pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return hatch.pattern;
}

/** `scene`: {scale, heightPx, ratio, palette, pieces, nowMs, playheadMs, hoverMs, selection, isRecording}. */
export function drawTimeline(context, scene) {
  const { scale, heightPx, ratio, palette } = scene;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = palette.background;
  context.fillRect(0, 0, scale.widthPx, heightPx);
  const row = { top: RULER_PX + 4, height: heightPx - RULER_PX - 12 };
  drawRuler(context, scene);
  drawFootage(context, scene, row);
  drawSelection(context, scene, row);
  drawNow(context, scene, row);
  drawPlayhead(context, scene);
}

function drawRuler(context, { scale, heightPx, palette }) {
  const step = chooseStep(scale.lengthMs, scale.widthPx);
  context.font = FONT;
  context.textBaseline = "middle";
  for (const tick of ticksBetween(scale.fromMs, scale.toMs, step)) {
    const x = Math.round(scale.xOf(tick)) + 0.5;
    const { text, isMajor } = labelTick(tick, step.unit);
    context.strokeStyle = palette.line;
    context.beginPath();
    context.moveTo(x, isMajor ? 0 : RULER_PX - 5);
    context.lineTo(x, heightPx);
    context.stroke();
    context.fillStyle = isMajor ? palette.major : palette.text;
    context.fillText(text, x + 4, RULER_PX / 2);
  }
}

function drawFootage(context, scene, row) {
  const { scale, palette, pieces, nowMs } = scene;
  const bar = (fromMs, toMs, fill, least = 0) => {
    const x = Math.max(-2, scale.xOf(fromMs));
    const end = Math.min(scale.widthPx + 2, scale.xOf(toMs));
    if (end < -1 || x > scale.widthPx) return;
    context.fillStyle = fill;
    context.fillRect(x, row.top, Math.max(least, end - x), row.height);
  };
  bar(scale.fromMs, Math.min(scale.toMs, nowMs), palette.track);
  const pattern = hatchPattern(context, palette, scene.ratio);
  for (const piece of pieces) {
    if (piece.state === "empty" || piece.state === "failed") continue;
    const until = (span) => Math.min(span.end ?? nowMs, piece.end, nowMs);
    for (const gap of piece.gaps) {
      if (isIntended(gap)) bar(Math.max(gap.start, piece.start), until(gap), pattern);
    }
    for (const span of piece.recordings) {
      let end = until(span);
      // The running recording grows between two readings.
      if (scene.isRecording && piece.readAtMs && end > piece.readAtMs - 10_000 && piece.end > nowMs) end = nowMs;
      bar(Math.max(span.start, piece.start), end, palette.footage, 0.6);
    }
    for (const gap of piece.gaps) {
      if (!isIntended(gap)) bar(Math.max(gap.start, piece.start), until(gap), palette.gap, 1.5);
    }
    for (const span of piece.motion || []) bar(span.start, until(span), palette.motion, 1);
  }
}

function drawSelection(context, { scale, palette, selection, heightPx }, row) {
  if (!selection) return;
  const x = scale.xOf(selection.fromMs);
  const width = scale.xOf(selection.toMs) - x;
  context.fillStyle = palette.bandFill;
  context.fillRect(x, RULER_PX - 4, width, heightPx - RULER_PX + 2);
  context.strokeStyle = palette.band;
  context.setLineDash([3, 3]);
  context.strokeRect(Math.round(x) + 0.5, RULER_PX - 3.5, Math.round(width), row.height + 11);
  context.setLineDash([]);
}

function drawNow(context, { scale, palette, nowMs, heightPx }) {
  const x = Math.round(scale.xOf(nowMs)) + 0.5;
  if (x < 0 || x > scale.widthPx) return;
  context.strokeStyle = palette.band;
  context.beginPath();
  context.moveTo(x, RULER_PX - 4);
  context.lineTo(x, heightPx);
  context.stroke();
}

function drawPlayhead(context, { scale, palette, playheadMs, heightPx, isFocused }) {
  if (playheadMs === null) return;
  const x = scale.xOf(playheadMs);
  if (x < -8 || x > scale.widthPx + 8) return;
  context.fillStyle = isFocused ? palette.focus : palette.playhead;
  context.fillRect(x - 0.75, 0, 1.5, heightPx);
  context.beginPath();
  context.moveTo(x - 6, 0);
  context.lineTo(x + 6, 0);
  context.lineTo(x, 8);
  context.fill();
}
