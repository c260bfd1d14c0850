/* What every page behind sign-in does: clock, camera search, side menu, keys help, notices, events. */

import { nowMs } from "./clock.js";
import { startEvents } from "./events.js";
import { registerKeys } from "./keys.js";
import { notify } from "./notices.js";
import { formatClock, formatDate, formatZone } from "./times.js";

function startClock() {
  const clock = document.getElementById("clock");
  if (!clock) return;
  const [date, time, zone] = clock.querySelectorAll("span");
  const tick = () => {
    const now = nowMs();
    date.textContent = formatDate(now);
    time.textContent = formatClock(now);
    zone.textContent = formatZone(now);
    setTimeout(tick, 1000 - (now % 1000) + 5);
  };
  tick();
}

function filterTree() {
  const input = document.getElementById("find-camera");
  const tree = document.getElementById("camera-tree");
  if (!input || !tree) return;
  const words = input.value.trim().toLocaleLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const row of tree.querySelectorAll("[data-camera]")) {
    const name = row.dataset.name.toLocaleLowerCase();
    row.hidden = !words.every((word) => name.includes(word));
    if (!row.hidden) found += 1;
  }
  for (const group of tree.querySelectorAll("[data-group]")) {
    group.hidden = words.length > 0 && !group.querySelector("[data-camera]:not([hidden])");
  }
  document.getElementById("nothing-found").hidden = found > 0 || words.length === 0;
}

function startSearch() {
  const input = document.getElementById("find-camera");
  if (!input) return;
  input.addEventListener("input", filterTree);
  input.addEventListener("keydown", (event) => {
    const shown = [...document.querySelectorAll("#camera-tree [data-camera]:not([hidden])")];
    if (event.key === "Enter" && shown.length) shown[0].click();
    if (event.key === "ArrowDown" && shown.length) { event.preventDefault(); shown[0].focus(); }
    if (event.key === "Escape") { input.value = ""; filterTree(); }
  });
}

function startSide() {
  const app = document.querySelector(".app");
  const button = document.querySelector(".menu-button");
  if (!app || !button) return;
  const set = (isOpen) => {
    app.classList.toggle("side-open", isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
  };
  button.addEventListener("click", () => set(!app.classList.contains("side-open")));
  document.querySelector(".main")?.addEventListener("pointerdown", () => set(false));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") set(false); });
}

function startDialogs() {
  const help = document.getElementById("keys-help");
  registerKeys({ "?": () => help?.showModal() });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-open-keys]")) help?.showModal();
    const menu = document.querySelector("details.account[open]");
    if (menu && !menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const menu = document.querySelector("details.account[open]");
    if (event.key === "Escape" && menu) menu.open = false;
  });
}

/** Call once, from the entry module of each page behind sign-in. */
export function startFrame() {
  startClock();
  startSearch();
  startSide();
  startDialogs();
  startEvents();
  registerKeys({
    "/": () => {
      const input = document.getElementById("find-camera");
      if (!input) return false;
      document.querySelector(".app")?.classList.add("side-open");
      input.focus();
      input.select();
      return true;
    },
  });
  document.addEventListener("htmx:afterSwap", filterTree);
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 401 || event.detail.xhr.status === 403) signIn();
  });
  document.addEventListener("heron:signed-out", signIn);
  for (const shown of document.querySelectorAll("#messages [data-message]")) {
    notify(shown.textContent, { isError: shown.dataset.message === "error" });
  }
}

function signIn() {
  location.assign(`/sign-in/?next=${encodeURIComponent(location.pathname + location.search)}`);
}
