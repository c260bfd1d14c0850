/* <heron-wall>: all cameras as tiles in an even grid that fits the window; one is enlarged in place.
 *
 * Tiles are kept across changes of the camera list and of the layout, so that running pictures go on. Sub streams in
 * tiles, the main stream when enlarged or when a tile is large enough to show more than the sub stream has.
 */

import { watchCameras } from "./cameras_seen.js";
import { registerKeys } from "./keys.js";
import { ASPECT, MOST_TILES, fitGrid, tilesPerPage } from "./wall_grid.js";
import "./player/heron_player.js";

const GAP_PX = 3;
const LAYOUT_KEY = "heron.wall-layout";
const SMALL_PX = 190; // narrower tiles show less words
const MAIN_FROM_PX = 1100; // a tile this wide (in device pixels) deserves the main stream

export class HeronWall extends HTMLElement {
  connectedCallback() {
    this.tiles = new Map();
    this.page = 0;
    this.largeId = "";
    try { this.layout = localStorage.getItem(LAYOUT_KEY) || "auto"; } catch { this.layout = "auto"; }
    this.empty = this.querySelector(".empty");
    this.resizer = new ResizeObserver(() => this.arrange());
    this.resizer.observe(this);
    watchCameras((cameras) => this.reconcile(cameras));
    this.addEventListener("dblclick", (event) => this.toggleLarge(event.target.closest("heron-player")));
    this.addEventListener("click", (event) => this.select(event.target.closest("heron-player")));
    this.addEventListener("focusin", (event) => this.select(event.target.closest("heron-player")));
    this.addEventListener("pointerover", (event) => this.foresee(event.target.closest("heron-player")));
    this.registerKeys();
  }

  registerKeys() {
    const keys = {
      Enter: () => this.toggleLarge(this.selected),
      Escape: () => this.setLarge(null),
      ArrowLeft: () => this.move(-1), ArrowRight: () => this.move(1),
      ArrowUp: () => this.move(-(this.columns || 1)), ArrowDown: () => this.move(this.columns || 1),
      PageDown: () => this.turn(1), PageUp: () => this.turn(-1),
      p: () => { if (this.selected) location.assign(`/cameras/${this.selected.camera}/`); },
      0: () => this.setLayout("auto"), 9: () => this.setLayout("auto"),
    };
    for (let side = 1; side <= 8; side += 1) keys[side] = () => this.setLayout(String(side));
    registerKeys(keys);
  }

  reconcile(cameras) {
    this.cameras = cameras;
    const known = new Set(cameras.map((camera) => camera.id));
    for (const [id, tile] of this.tiles) {
      if (known.has(id)) continue;
      tile.remove();
      this.tiles.delete(id);
      if (this.largeId === id) this.largeId = "";
    }
    for (const camera of cameras) {
      let tile = this.tiles.get(camera.id);
      if (!tile) {
        tile = this.makeTile(camera);
        this.tiles.set(camera.id, tile);
      }
      if (tile.getAttribute("name") !== camera.name) {
        tile.setAttribute("name", camera.name);
        tile.setAttribute("aria-label", camera.name);
      }
      tile.hasSub = camera.hasSub;
      tile.toggleAttribute("simulated", camera.isSimulated);
      tile.facts = camera.facts;
    }
    if (this.empty) this.empty.hidden = cameras.length > 0;
    this.arrange();
    for (const camera of cameras) {
      const tile = this.tiles.get(camera.id);
      if (tile.isConnected) tile.setFacts(camera.facts);
    }
  }

  makeTile(camera) {
    const tile = document.createElement("heron-player");
    tile.setAttribute("camera", camera.id);
    tile.setAttribute("name", camera.name);
    tile.setAttribute("aria-label", camera.name);
    tile.setAttribute("stream", camera.hasSub ? "sub" : "main");
    const rung = this.getAttribute("rung");
    if (rung) tile.setAttribute("rung", rung);
    tile.toggleAttribute("simulated", camera.isSimulated);
    tile.tabIndex = 0;
    tile.setAttribute("role", "group");
    const link = document.createElement("a");
    link.className = "tile-link";
    link.href = `/cameras/${camera.id}/`;
    link.title = "Play back";
    link.setAttribute("aria-label", `Play back ${camera.name}`);
    link.append(document.getElementById("icon-play").content.cloneNode(true));
    tile.addEventListener("heron-built", () => tile.append(link), { once: true });
    return tile;
  }

  get perPage() { return tilesPerPage(this.layout, this.cameras?.length || 0); }
  get pages() { return Math.max(1, Math.ceil((this.cameras?.length || 0) / this.perPage)); }

  arrange() {
    if (!this.cameras) return;
    this.page = Math.min(this.page, this.pages - 1);
    const shown = this.cameras.slice(this.page * this.perPage, (this.page + 1) * this.perPage);
    const box = { width: this.clientWidth - 6, height: this.clientHeight - 6 };
    const side = Number(this.layout);
    const isNarrow = box.width < 640;
    const grid = side ? { columns: side, rows: side } : fitGrid(shown.length, box.width, box.height);
    if (isNarrow && !side) Object.assign(grid, { columns: 1, rows: shown.length });
    this.columns = grid.columns;
    // Tiles have the shape of the usual picture, so that caption and chips lie on it and no bars show.
    const tileWidth = isNarrow && !side
      ? box.width
      : Math.min((box.width - GAP_PX * (grid.columns - 1)) / grid.columns, ((box.height - GAP_PX * (grid.rows - 1)) / grid.rows) * ASPECT);
    this.style.gridTemplateColumns = `repeat(${grid.columns}, ${Math.floor(tileWidth)}px)`;
    this.style.gridTemplateRows = `repeat(${grid.rows}, ${Math.floor(tileWidth / ASPECT)}px)`;
    const wanted = new Set(shown.map((camera) => camera.id));
    for (const [id, tile] of this.tiles) if (!wanted.has(id) && tile.isConnected) tile.remove();
    let before = null;
    for (const { id } of shown) {
      const tile = this.tiles.get(id);
      const isInPlace = tile.parentNode === this && (before ? before.nextElementSibling === tile : this.firstElementChild === tile);
      if (!isInPlace) this.insertBefore(tile, before ? before.nextElementSibling : this.firstElementChild);
      if (!tile.cameraFacts) tile.setFacts(tile.facts);
      before = tile;
      this.dress(tile, id, id === this.largeId ? box.width : tileWidth);
    }
    if (this.largeId && !wanted.has(this.largeId)) this.largeId = "";
    this.classList.toggle("one-large", Boolean(this.largeId));
    this.dispatchEvent(new CustomEvent("heron-layout", { bubbles: true }));
  }

  dress(tile, id, widthPx) {
    const isLarge = id === this.largeId;
    tile.classList.toggle("large", isLarge);
    tile.classList.toggle("small", widthPx < SMALL_PX);
    const wantsMain = isLarge || !tile.hasSub || widthPx * devicePixelRatio >= MAIN_FROM_PX;
    const stream = wantsMain ? "main" : "sub";
    if (tile.getAttribute("stream") !== stream) tile.setAttribute("stream", stream);
  }

  setLayout(layout) {
    const first = this.page * this.perPage;
    this.layout = layout;
    this.page = Math.floor(first / this.perPage);
    this.largeId = "";
    try { localStorage.setItem(LAYOUT_KEY, layout); } catch { /* holds for this page */ }
    this.arrange();
  }

  turn(by) {
    this.page = Math.max(0, Math.min(this.pages - 1, this.page + by));
    this.largeId = "";
    this.arrange();
  }

  select(tile) {
    if (!tile || tile === this.selected) return;
    this.selected?.classList.remove("selected");
    this.selected = tile;
    tile.classList.add("selected");
  }

  move(by) {
    const tiles = [...this.querySelectorAll("heron-player")];
    if (!tiles.length) return;
    const at = tiles.indexOf(this.selected);
    const next = tiles[at < 0 ? 0 : Math.max(0, Math.min(tiles.length - 1, at + by))];
    if (this.largeId) this.setLarge(next);
    next.focus();
    this.select(next);
  }

  toggleLarge(tile) {
    if (!tile) return false;
    this.setLarge(this.largeId === tile.camera ? null : tile);
    return true;
  }

  setLarge(tile) {
    const id = tile?.camera || "";
    if (id === this.largeId) return false;
    this.largeId = id;
    this.arrange();
    return true;
  }

  /** Over a tile: a double click is likely, so have the main stream's address ready. */
  foresee(tile) {
    if (tile && tile !== this.foreseen && tile.isConnected) {
      this.foreseen = tile;
      tile.prefetch("main");
    }
  }
}

export { MOST_TILES };
customElements.define("heron-wall", HeronWall);
