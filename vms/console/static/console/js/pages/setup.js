/* Entry of the set-up pages: frame, and asking before something is taken away. */

import { startFrame } from "../frame.js";
import "../coverage.js";
import { startCameraForm } from "../camera_form.js";

startFrame();
startCameraForm();

const dialog = document.getElementById("confirm");
document.addEventListener("submit", (event) => {
  const { confirm: question } = event.target.dataset;
  if (!question || event.target.dataset.confirmed || !dialog) return;
  event.preventDefault();
  document.getElementById("confirm-question").textContent = question;
  document.getElementById("confirm-yes").textContent = event.target.dataset.confirmYes || "Yes";
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue !== "yes") return;
    // The table may have been rendered anew while the question stood.
    const form = event.target.isConnected ? event.target : document.querySelector(`form[action="${event.target.getAttribute("action")}"]`);
    if (!form) return;
    form.dataset.confirmed = "1";
    form.requestSubmit();
  };
  dialog.showModal();
});
