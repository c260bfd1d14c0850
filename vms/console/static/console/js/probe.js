/* Looking at a camera before it is saved: asks the server to connect and shows what was found, or why not. */

import { callApi } from "./api.js";

const CODECS = { h264: "H.264", h265: "H.265", hevc: "H.265", mjpeg: "MJPEG", aac: "AAC", pcma: "G.711 A-law", pcmu: "G.711 µ-law", g711: "G.711" };
const named = (codec) => CODECS[String(codec).toLowerCase()] || String(codec).toUpperCase();

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

function fact(list, name, value) {
  if (!value) return;
  const box = make("div");
  box.append(make("dt", "", name), make("dd", "", value));
  list.append(box);
}

const bitrate = (bps) => (bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : bps ? `${Math.round(bps / 1000)} kbit/s` : "");

function describeStream(stream) {
  const box = make("section", "found-stream");
  const heading = make("h3", "", stream.kind === "sub" ? "Sub stream" : "Main stream");
  heading.append(make("span", "pill ok", "picture found"));
  const facts = make("dl", "facts");
  const { video, audio } = stream;
  if (video) {
    fact(facts, "Video", `${named(video.codec)}${video.profile ? ` ${video.profile}` : ""}`);
    fact(facts, "Picture", video.width_px ? `${video.width_px}×${video.height_px}` : "");
    fact(facts, "Frame rate", video.fps ? `${Number(video.fps.toFixed(2))} fps` : "");
    fact(facts, "Keyframe every", video.gop_s ? `${Number(video.gop_s.toFixed(1))} s` : "");
  }
  fact(facts, "Audio", audio ? `${named(audio.codec)} ${audio.sample_rate_hz / 1000} kHz${audio.channels === 2 ? " stereo" : ""}` : "none");
  fact(facts, "Rate", bitrate(stream.bitrate_bps));
  fact(facts, "Server", stream.server);
  box.append(heading, facts);
  for (const warning of stream.warnings || []) box.append(make("p", "warning", warning));
  return box;
}

export class Probe {
  constructor(form) {
    this.form = form;
    this.result = document.getElementById("probe-result");
    this.button = document.getElementById("probe");
    this.save = document.getElementById("save");
    this.button.addEventListener("click", () => this.run());
    for (const name of ["main_url", "sub_url", "username", "password", "transport"]) {
      form.elements[name]?.addEventListener("input", () => this.forget());
    }
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.tagName === "INPUT" && !this.found && !form.dataset.saved) {
        event.preventDefault();
        this.run();
      }
    });
    this.showSave();
  }

  forget() {
    if (!this.found && !this.failed) return;
    this.found = this.failed = false;
    this.result.replaceChildren();
    this.showSave();
  }

  showSave() {
    const isKnown = Boolean(this.form.dataset.saved);
    this.button.classList.toggle("primary", !this.found && !isKnown);
    this.save.classList.toggle("primary", Boolean(this.found || isKnown));
    this.save.hidden = !(this.found || this.failed || isKnown);
    this.save.textContent = isKnown ? "Save" : this.failed ? "Add it all the same" : "Add camera";
  }

  async run() {
    const { elements } = this.form;
    if (!elements.main_url.reportValidity()) return;
    this.aborter?.abort();
    this.aborter = new AbortController();
    this.button.disabled = true;
    const waiting = make("div", "probing");
    waiting.append(document.createElement("progress"), make("span", "", "Asking the camera. This takes at most 10 s for each stream."));
    this.result.replaceChildren(waiting);
    try {
      const body = {
        url: elements.main_url.value.trim(), sub_url: elements.sub_url.value.trim(),
        username: elements.username.value, password: elements.password.value, transport: elements.transport.value,
      };
      for (const name of ["sub_url", "username", "password"]) if (!body[name]) delete body[name];
      if (this.form.dataset.saved) body.camera = this.form.dataset.saved; // its kept password, as long as the host is the same
      const got = await callApi("/api/v1/cameras/probe/", { method: "POST", body, signal: this.aborter.signal });
      this.found = true;
      this.failed = false;
      this.result.replaceChildren(...got.streams.map(describeStream));
      if (!elements.name.value.trim()) elements.name.focus();
      else this.save.focus();
    } catch (error) {
      this.found = false;
      this.failed = true;
      const message = make("p", "message bad", error.message);
      this.form.dispatchEvent(new CustomEvent("heron-refused", { detail: error }));
      message.setAttribute("role", "alert");
      this.result.replaceChildren(message);
    } finally {
      this.button.disabled = false;
      this.showSave();
    }
  }
}
