/* Light or dark: the system's wish until the person switches. Loaded as a classic script in the head, so that the page never
 * flashes in the wrong one.
 */
(() => {
  const KEY = "heron.theme";
  let chosen = "";
  try { chosen = localStorage.getItem(KEY) || ""; } catch { /* private mode: follow the system */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-switch-theme]")) return;
    const now = document.documentElement.dataset.theme
      || (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
    const next = now === "light" ? "dark" : "light";
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem(KEY, next); } catch { /* holds for this page */ }
  });
})();
