/* The cameras as the server last rendered them in the tree: the one source of names and states on a page. */

const msOf = (text) => (text ? Date.parse(text) : 0);

/** [{id, name, isSimulated, hasSub, facts: {state, detail, sinceMs, retryAtMs}}] in the server's order, by name. */
export function readCameras() {
  const rows = [...document.querySelectorAll("#camera-tree [data-camera]")];
  return rows.map(({ dataset }) => ({
    id: dataset.camera,
    name: dataset.name,
    isSimulated: dataset.simulated === "1",
    hasSub: dataset.sub === "1",
    facts: { state: dataset.state, detail: dataset.detail, sinceMs: msOf(dataset.since), retryAtMs: msOf(dataset.retry) },
  })).sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
}

/** Calls `act(cameras)` now and whenever the tree was rendered anew. */
export function watchCameras(act) {
  act(readCameras());
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "camera-tree" || event.target.querySelector?.("#camera-tree")) act(readCameras());
  });
}
