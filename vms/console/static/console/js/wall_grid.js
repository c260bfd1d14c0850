/* How many columns and rows suit a wall. Pure. */

export const ASPECT = 16 / 9;
export const MOST_TILES = 64;

/** {columns, rows} that show `count` pictures largest in a box of `widthPx` x `heightPx`. */
export function fitGrid(count, widthPx, heightPx) {
  let best = { columns: 1, rows: Math.max(1, count), area: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const rows = Math.ceil(count / columns);
    const width = Math.min(widthPx / columns, (heightPx / rows) * ASPECT);
    const area = width * (width / ASPECT);
    if (area > best.area * 1.0001) best = { columns, rows, area };
  }
  return { columns: best.columns, rows: best.rows };
}

/** Tiles on one page: `layout` "auto" shows all up to 64, "1".."8" a square of that side. */
export function tilesPerPage(layout, count) {
  const side = Number(layout);
  if (side >= 1 && side <= 8) return side * side;
  return Math.min(MOST_TILES, Math.max(1, count));
}
