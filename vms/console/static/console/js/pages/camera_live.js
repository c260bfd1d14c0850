/* Entry of one camera's page for who may watch live but not play back. */

import { readCameras, watchCameras } from "../cameras_seen.js";
import { startFrame } from "../frame.js";
import "../player/heron_player.js";

startFrame();
const player = document.querySelector("heron-player");
watchCameras(() => {
  const mine = readCameras().find((one) => one.id === player.camera);
  if (mine) player.setFacts(mine.facts);
});
