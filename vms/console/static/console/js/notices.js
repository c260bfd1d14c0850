/* Short words in the corner: what was done, or what went wrong and what to do. Read out by screen readers. */

const SHOWN_MS = 6000;

export function notify(text, { isError = false } = {}) {
  const box = document.getElementById("notices");
  if (!box) return;
  const notice = document.createElement("div");
  notice.className = isError ? "notice error" : "notice";
  notice.textContent = text;
  box.append(notice);
  setTimeout(() => notice.remove(), isError ? SHOWN_MS * 2 : SHOWN_MS);
}
