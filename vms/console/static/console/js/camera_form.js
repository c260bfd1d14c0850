/* The camera form: takes addresses apart that carry a password, probes, saves through the REST API. */

import { callApi } from "./api.js";
import { Probe } from "./probe.js";

const FIELDS = ["main_url", "sub_url", "username", "name", "recording_mode", "transport", "server"];

/** rtsp://user:secret@host/x as many manuals print it: user and password go to their own fields. */
export function splitAddress(text) {
  const match = /^(\w+:\/\/)([^/@\s]*)@(.*)$/s.exec(text.trim());
  if (!match) return { url: text.trim(), username: "", password: "" };
  const at = match[2].indexOf(":");
  const decode = (part) => { try { return decodeURIComponent(part); } catch { return part; } };
  return {
    url: match[1] + match[3],
    username: decode(at < 0 ? match[2] : match[2].slice(0, at)),
    password: at < 0 ? "" : decode(match[2].slice(at + 1)),
  };
}

class CameraForm {
  constructor(form) {
    this.form = form;
    this.probe = new Probe(form);
    this.isNew = !form.dataset.saved;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    for (const name of ["main_url", "sub_url"]) {
      form.elements[name].addEventListener("change", () => this.takeApart(form.elements[name]));
    }
    form.addEventListener("heron-refused", (event) => this.showProblems(event.detail));
    form.addEventListener("input", (event) => this.clearProblem(event.target));
  }

  takeApart(field) {
    const { url, username, password } = splitAddress(field.value);
    field.value = url;
    const { elements } = this.form;
    if (username) elements.username.value = username;
    if (password) elements.password.value = password;
  }

  async save() {
    const { elements } = this.form;
    this.takeApart(elements.main_url);
    this.takeApart(elements.sub_url);
    for (const name of ["main_url", "name"]) if (!elements[name].reportValidity()) return;
    const body = {};
    for (const name of FIELDS) if (elements[name]) body[name] = elements[name].value.trim();
    if (elements.password.value) body.password = elements.password.value;
    const save = document.getElementById("save");
    save.disabled = true;
    try {
      if (this.isNew) await callApi("/api/v1/cameras/", { method: "POST", body });
      else await callApi(`/api/v1/cameras/${this.form.dataset.saved}/`, { method: "PATCH", body });
      location.assign("/set-up/cameras/");
    } catch (error) {
      this.showProblems(error, { isSaving: true });
      save.disabled = false;
    }
  }

  showProblems(error, { isSaving = false } = {}) {
    const rest = [];
    let first = null;
    for (const problem of error.errors || []) {
      const field = this.form.elements[problem.attr === "url" ? "main_url" : problem.attr];
      const place = field?.closest?.(".field")?.querySelector(".problem");
      if (!place) {
        rest.push(problem.detail);
        continue;
      }
      place.textContent = problem.detail;
      place.hidden = !isSaving; // a probe tells the sentence below; here the field is only marked
      field.setAttribute("aria-invalid", "true");
      field.closest(".field").classList.add("has-problem");
      first ||= field;
    }
    if (!isSaving) return;
    const message = document.getElementById("form-problem");
    message.textContent = rest.join(" ") || (first ? "" : error.message);
    message.hidden = !message.textContent;
    first?.focus();
  }

  clearProblem(field) {
    const box = field.closest?.(".field");
    if (!box?.classList.contains("has-problem")) return;
    box.classList.remove("has-problem");
    field.removeAttribute("aria-invalid");
    const place = box.querySelector(".problem");
    if (place) place.hidden = true;
  }
}

export function startCameraForm() {
  const form = document.getElementById("camera-form");
  if (form) new CameraForm(form);
}
