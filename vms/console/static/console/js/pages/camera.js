/* Entry of one camera's page: live picture, timeline, playback and their keys. */

import { readCameras, watchCameras } from "../cameras_seen.js";
import { nowMs } from "../clock.js";
import { startFrame } from "../frame.js";
import { registerKeys } from "../keys.js";
import { notify } from "../notices.js";
import { Playback } from "../player/playback.js";
import "../player/heron_player.js";
import { formatClock, formatDay, formatDuration, formatZone, isoOf } from "../times.js";
import "../timeline/heron_timeline.js";

startFrame();

const $ = (id) => document.getElementById(id);
const player = document.querySelector("heron-player");
const timeline = document.querySelector("heron-timeline");
const camera = player.camera;
const FLASH_MS = 2600;
const LIVE_BEHIND_MS = 1500; // pausing live starts playback this far behind now: surely on disk

let playback = null;
let flashTimer = 0;

function flash(text) {
  $("flash").textContent = text;
  $("flash").hidden = false;
  clearTimeout(flashTimer);
  flashTimer = setTimeout(() => { $("flash").hidden = true; }, FLASH_MS);
}

function showNow(ms) {
  $("now-time").textContent = `${formatDay(ms)} ${formatClock(ms, Boolean(playback))}`;
  $("now-zone").textContent = formatZone(ms);
}

function showButtons() {
  const isPlaying = !playback || !playback.isPaused;
  $("play").setAttribute("aria-label", isPlaying ? "Pause" : "Play");
  $("play").classList.toggle("is-playing", isPlaying);
  $("live").setAttribute("aria-pressed", String(!playback));
  $("speed").value = String(playback?.rate ?? 1);
}

function ensurePlayback() {
  if (playback) return playback;
  playback = new Playback({
    camera,
    handlers: {
      onTime: (ms) => {
        timeline.setPlayhead(ms);
        player.setPictureTime(ms);
        showNow(ms);
      },
      onState: (state) => {
        player.classList.toggle("loading", state === "loading");
        showButtons();
      },
      onNote: flash,
      onRate: showButtons,
      onTrouble: (error) => {
        flash(error.message);
        notify(`${error.message} Press L for the live picture.`, { isError: true });
      },
    },
  });
  if (player.hasAttribute("sound")) playback.setSound(true);
  player.showPlayback(playback.video);
  return playback;
}

function goLive() {
  playback?.close();
  playback = null;
  player.showLive();
  timeline.showLive();
  showButtons();
  showNow(nowMs());
}

function seek(ms, { isLive = false } = {}) {
  if (isLive) {
    goLive();
    return;
  }
  const isNew = !playback;
  const running = ensurePlayback();
  if (isNew) running.isPaused = false;
  performance.mark("heron:seek-click");
  running.seek(ms);
  showButtons();
}

function togglePlay() {
  if (!playback) {
    // The picture on the screen stays: playback starts where live was.
    const at = (player.stats.picture_at_s || nowMs() / 1000) * 1000;
    ensurePlayback().isPaused = true;
    playback.seek(Math.min(at, nowMs() - 200));
  } else if (playback.isPaused) {
    playback.play();
  } else {
    playback.pause();
  }
  showButtons();
}

function step(count) {
  if (!playback) {
    togglePlay();
    return;
  }
  playback.step(count);
  showButtons();
}

function jump(direction) {
  const at = playback ? playback.atMs : nowMs();
  const edge = timeline.edgeFrom(at, direction);
  if (edge === null) flash(direction < 0 ? "No earlier break in the time shown" : "No later break in the time shown");
  else seek(edge);
}

function changeSpeed(by) {
  const options = [...$("speed").options].map((option) => Number(option.value));
  const at = options.indexOf(playback?.rate ?? 1);
  setSpeed(options[Math.max(0, Math.min(options.length - 1, at + by))]);
}

function setSpeed(rate) {
  if (!playback) {
    if (rate >= 1) { showButtons(); return; }
    seek(nowMs() - LIVE_BEHIND_MS);
  }
  playback.setRate(rate);
  if (playback.isPaused) playback.play();
  showButtons();
}

timeline.addEventListener("heron-seek", (event) => seek(event.detail.ms, { isLive: event.detail.isLive }));
timeline.addEventListener("heron-scrub", (event) => ensurePlayback().scrub(event.detail.ms));
timeline.addEventListener("heron-select", (event) => showSelection(event.detail));

function showSelection(selection) {
  $("selection").hidden = !selection;
  if (!selection) return;
  const { fromMs, toMs } = selection;
  $("selection-words").textContent = `${formatClock(fromMs)} – ${formatClock(toMs)} · ${formatDuration(toMs - fromMs)}`;
  const link = $("selection-clip");
  if (link) link.href = `/api/v1/cameras/${camera}/clip.mp4?from=${isoOf(fromMs)}&to=${isoOf(toMs)}`;
}

$("play").addEventListener("click", togglePlay);
$("live").addEventListener("click", goLive);
$("frame-back").addEventListener("click", () => step(-1));
$("frame-on").addEventListener("click", () => step(1));
$("edge-back").addEventListener("click", () => jump(-1));
$("edge-on").addEventListener("click", () => jump(1));
$("speed").addEventListener("change", () => {
  setSpeed(Number($("speed").value));
  $("speed").blur(); // arrows and Space are playback's again
});
// A click doesn't take the focus, so that Space goes on pausing instead of pressing the same button again.
document.querySelector(".controls").addEventListener("mousedown", (event) => { if (event.target.closest("button")) event.preventDefault(); });
$("selection-clear").addEventListener("click", () => timeline.select(0, 0));
for (const button of document.querySelectorAll("[data-zoom-to]")) {
  button.addEventListener("click", () => timeline.zoom((Number(button.dataset.zoomTo) * 1000) / timeline.scale.lengthMs));
}

const setSound = (isOn) => {
  player.toggleAttribute("sound", isOn);
  $("sound").setAttribute("aria-pressed", String(isOn));
  playback?.setSound(isOn);
};
$("sound").addEventListener("click", () => setSound(!player.hasAttribute("sound")));

registerKeys({
  " ": togglePlay,
  k: togglePlay,
  l: goLive,
  m: () => setSound(!player.hasAttribute("sound")),
  ArrowLeft: (event) => (event.shiftKey ? jump(-1) : step(-1)),
  ArrowRight: (event) => (event.shiftKey ? jump(1) : step(1)),
  ArrowUp: () => timeline.zoom(0.7),
  ArrowDown: () => timeline.zoom(1 / 0.7),
  "+": () => timeline.zoom(0.7),
  "-": () => timeline.zoom(1 / 0.7),
  "<": () => changeSpeed(-1),
  ">": () => changeSpeed(1),
  f: () => { if (document.fullscreenElement) document.exitFullscreen(); else $("stage").requestFullscreen?.(); },
  Escape: () => { if (timeline.selection) timeline.select(0, 0); else if (playback) goLive(); else return false; return true; },
});
player.addEventListener("dblclick", () => { if (document.fullscreenElement) document.exitFullscreen(); else $("stage").requestFullscreen?.(); });

watchCameras(() => {
  const mine = readCameras().find((one) => one.id === camera);
  if (!mine) {
    notify("This camera was deleted. Its recordings stay until retention takes them.", { isError: true });
    return;
  }
  player.setAttribute("name", mine.name);
  $("camera-title").textContent = mine.name;
  player.setFacts(mine.facts);
  timeline.setRecording(mine.facts.state === "recording");
});

setInterval(() => { if (!playback) showNow(nowMs()); }, 1000);
showNow(nowMs());
showButtons();

const asked = Date.parse(new URLSearchParams(location.search).get("at") || "");
if (asked) {
  timeline.scale.pan(asked - (timeline.scale.fromMs + timeline.scale.toMs) / 2);
  seek(asked);
}
