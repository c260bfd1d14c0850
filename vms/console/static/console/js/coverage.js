/* <heron-coverage camera="uuid">: a thin bar of the last 24 hours, recorded or not. Read when seen, at most once a minute. */

import { callApi } from "./api.js";
import { nowMs } from "./clock.js";
import { readPalette } from "./timeline/draw.js";
import { isIntended } from "./timeline/spans.js";
import { formatDuration, isoOf } from "./times.js";

const DAY_MS = 86_400_000;
const FRESH_MS = 60_000;
const AT_ONCE = 3;
const known = new Map();
const waiting = [];
let running = 0;

async function read(camera) {
  const held = known.get(camera);
  if (held && nowMs() - held.atMs < FRESH_MS) return held;
  if (running >= AT_ONCE) await new Promise((resolve) => { waiting.push(resolve); });
  running += 1;
  try {
    const toMs = nowMs();
    const span = `from=${isoOf(toMs - DAY_MS)}&to=${isoOf(toMs)}`;
    const got = await callApi(`/api/v1/cameras/${camera}/timeline/?${span}&resolution_ms=60000`);
    const fresh = { atMs: toMs, fromMs: toMs - DAY_MS, ...got };
    known.set(camera, fresh);
    return fresh;
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

class HeronCoverage extends HTMLElement {
  connectedCallback() {
    this.setAttribute("role", "img");
    const held = known.get(this.getAttribute("camera"));
    if (held) this.paint(held);
    this.observer = new IntersectionObserver(([entry]) => {
      if (!entry.isIntersecting) return;
      this.observer.disconnect();
      read(this.getAttribute("camera")).then((got) => this.paint(got), () => { this.title = "Not known just now"; });
    });
    this.observer.observe(this);
  }

  disconnectedCallback() {
    this.observer.disconnect();
  }

  paint(got) {
    const canvas = document.createElement("canvas");
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.max(1, this.clientWidth * ratio);
    canvas.height = Math.max(1, this.clientHeight * ratio);
    const context = canvas.getContext("2d");
    const palette = readPalette(this);
    const x = (text) => ((Date.parse(text) - got.fromMs) / DAY_MS) * canvas.width;
    const bar = (span, colour, least) => {
      context.fillStyle = colour;
      context.fillRect(x(span.start), 0, Math.max(least, x(span.end) - x(span.start)), canvas.height);
    };
    for (const span of got.recordings) bar(span, palette.footage, 1);
    let missingMs = 0;
    for (const gap of got.gaps) {
      if (isIntended(gap)) continue;
      missingMs += Date.parse(gap.end) - Date.parse(gap.start);
      bar(gap, palette.gap, ratio);
    }
    const words = missingMs >= 500 ? `${formatDuration(missingMs)} missing in the last 24 hours` : "Nothing missing in the last 24 hours";
    this.title = words;
    this.setAttribute("aria-label", words);
    this.replaceChildren(canvas);
  }
}

customElements.define("heron-coverage", HeronCoverage);
