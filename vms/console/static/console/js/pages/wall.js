/* Entry of the live wall: frame, tiles, layout buttons, page turner. */

import { startFrame } from "../frame.js";
import "../heron_wall.js";

startFrame();

const wall = document.querySelector("heron-wall");
const pager = document.getElementById("pager");

for (const button of document.querySelectorAll("[data-layout]")) {
  button.addEventListener("click", () => wall.setLayout(button.dataset.layout));
}
for (const button of document.querySelectorAll("[data-turn]")) {
  button.addEventListener("click", () => wall.turn(Number(button.dataset.turn)));
}

function show() {
  for (const button of document.querySelectorAll("[data-layout]")) {
    button.setAttribute("aria-pressed", String(button.dataset.layout === wall.layout));
  }
  pager.hidden = wall.pages < 2;
  document.getElementById("page-number").textContent = `${wall.page + 1} / ${wall.pages}`;
}

wall.addEventListener("heron-layout", show);
show();
