/* Keys of the whole page. A page registers its own; fields and open dialogs keep theirs. */

const acts = new Map();

/** `keys`: {key: act(event)}; `act` returning false leaves the key to the browser. Later registrations win. */
export function registerKeys(keys) {
  for (const [key, act] of Object.entries(keys)) acts.set(key, act);
}

const isTyping = (target) => target.closest?.("input:not([type=checkbox]):not([type=range]), select, textarea, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  // Space and Enter belong to a focused button or link.
  if ((event.key === " " || event.key === "Enter") && event.target.closest?.("button, a, summary")) return;
  const act = acts.get(event.key) || acts.get(event.key.toLowerCase());
  if (act && act(event) !== false) event.preventDefault();
});
