/* One live stream over a WebSocket: opens, watches, reconnects; knows nothing of pictures.
 *
 * Calls back: onHello(message), onInit(bytes), onFragment(bytes), onTrouble({code, detail, retryAtMs, sinceMs}),
 * onOpen(). The recorder's port is tried first, then the way through the web service. Back-off grows to 15 s and
 * starts again at 0.5 s after a picture came through.
 */

import { forgetUrls, liveUrls, noteWay } from "../media_urls.js";

const OPEN_LIMIT_MS = 3000; // a port behind a firewall answers nothing at all
const SILENCE_LIMIT_MS = 8000; // no frame for so long: the link is stale even if the socket looks open
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

export class LiveLink {
  constructor({ camera, stream, query = {}, handlers }) {
    Object.assign(this, { camera, stream, query, handlers });
    this.socket = null;
    this.isClosed = false;
    this.waitMs = FIRST_WAIT_MS;
    this.lastHeardMs = 0;
    this.expectsInit = false;
  }

  open() {
    if (this.isClosed) return;
    this.trouble = null;
    this.connect().catch((error) => {
      if (this.isClosed) return;
      this.fail({ code: error.code || "no_answer", detail: error.message });
    });
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.retryTimer);
    clearInterval(this.watchTimer);
    this.drop();
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  async connect() {
    const ways = await liveUrls(this.camera, this.stream);
    for (const [n, one] of ways.entries()) {
      if (this.isClosed) return;
      const url = new URL(one.url);
      for (const [name, value] of Object.entries(this.query)) url.searchParams.set(name, value);
      const socket = await this.tryOpen(url.href);
      if (this.isClosed) {
        socket?.close();
        return;
      }
      if (socket) {
        noteWay(one.way);
        this.url = one.url;
        this.watch();
        this.handlers.onOpen?.();
        return;
      }
      if (n === ways.length - 1) {
        forgetUrls(this.camera);
        this.fail({ code: "no_link", detail: "The recording server's pictures can't be reached from here." });
      }
    }
  }

  /** An open socket that already delivers, or null. */
  tryOpen(url) {
    return new Promise((resolve) => {
      let socket;
      try {
        socket = new WebSocket(url);
      } catch {
        resolve(null);
        return;
      }
      socket.binaryType = "arraybuffer";
      this.socket = socket;
      this.expectsInit = false;
      const timer = setTimeout(() => { this.drop(); resolve(null); }, OPEN_LIMIT_MS);
      socket.onopen = () => {
        clearTimeout(timer);
        resolve(socket);
      };
      socket.onmessage = (event) => this.receive(event.data);
      socket.onerror = socket.onclose = () => {
        clearTimeout(timer);
        if (this.socket === socket) this.socket = null;
        resolve(null);
        if (this.isWatching) this.lost();
      };
    });
  }

  receive(message) {
    this.lastHeardMs = performance.now();
    if (typeof message === "string") {
      const told = JSON.parse(message);
      if (told.error) {
        this.fail({ code: told.error, detail: told.detail || "", sinceMs: Date.parse(told.since) || null });
        return;
      }
      this.expectsInit = true;
      this.handlers.onHello(told);
    } else if (this.expectsInit) {
      this.expectsInit = false;
      this.handlers.onInit(new Uint8Array(message));
    } else {
      this.handlers.onFragment(new Uint8Array(message));
    }
  }

  /** A picture came through: the next failure starts with a short wait again. */
  notePicture() {
    this.waitMs = FIRST_WAIT_MS;
  }

  watch() {
    this.isWatching = true;
    this.lastHeardMs = performance.now();
    clearInterval(this.watchTimer);
    this.watchTimer = setInterval(() => {
      if (performance.now() - this.lastHeardMs > SILENCE_LIMIT_MS + 4000) this.lost();
    }, 2000);
  }

  lost() {
    this.fail({ code: "link_lost", detail: "The connection to the recording server was lost." });
  }

  fail(trouble) {
    if (this.isClosed) return;
    this.isWatching = false;
    clearInterval(this.watchTimer);
    this.drop();
    const spread = 0.8 + Math.random() * 0.4; // so that 64 tiles don't come back in the same instant
    const waitMs = Math.round(this.waitMs * spread);
    this.waitMs = Math.min(this.waitMs * 2, LONGEST_WAIT_MS);
    this.handlers.onTrouble({ ...trouble, retryAtMs: Date.now() + waitMs });
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.open(), waitMs);
  }

  /** Try at once: the camera is said to be back, or the person asks. */
  hurry() {
    if (this.isClosed || this.socket) return;
    clearTimeout(this.retryTimer);
    this.waitMs = FIRST_WAIT_MS;
    this.open();
  }
}
