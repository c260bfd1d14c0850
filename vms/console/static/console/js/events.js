/* The event socket: tells the page that cameras changed, and keeps trying when it is gone.
 *
 * Law for live pages: applying the events to an old page equals a fresh load. So the page doesn't patch itself: it has
 * the fragments it shows rendered anew by the server (htmx), at most a few times a second; and because an event may
 * have been missed, it does so after every reconnection, and each 30 s while there is no socket.
 */

import { noteServerTime } from "./clock.js";

const GATHER_MS = 150;
const LONGEST_WAIT_MS = 20_000;
const POLL_MS = 30_000;

let waitMs = 1000;
let gather = 0;

/** Have every live fragment of the page rendered anew, soon. */
export function refreshSoon() {
  if (gather) return;
  gather = setTimeout(() => {
    gather = 0;
    document.body.dispatchEvent(new CustomEvent("heron:refresh"));
  }, GATHER_MS);
}

function open() {
  const url = new URL("/ws/events/", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const askedMs = Date.now();
  const socket = new WebSocket(url);
  socket.onopen = () => {
    waitMs = 1000;
    document.documentElement.dataset.events = "open";
  };
  socket.onmessage = (message) => {
    let told = null;
    try { told = JSON.parse(message.data); } catch { return; }
    if (told.type === "snapshot" && told.now) noteServerTime(Date.parse(told.now), askedMs, Date.now());
    document.dispatchEvent(new CustomEvent("heron:event", { detail: told }));
    if (told.type?.startsWith("camera.") || told.type === "snapshot") refreshSoon();
  };
  socket.onclose = (event) => {
    document.documentElement.dataset.events = "closed";
    if (event.code === 4401) {
      document.dispatchEvent(new CustomEvent("heron:signed-out"));
      return;
    }
    setTimeout(open, waitMs * (0.8 + Math.random() * 0.4));
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
  };
}

export function startEvents() {
  open();
  setInterval(() => {
    if (document.documentElement.dataset.events !== "open" && !document.hidden) refreshSoon();
  }, POLL_MS);
}
