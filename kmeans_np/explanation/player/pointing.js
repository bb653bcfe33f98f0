"use strict";
// What the reader points at, drags and turns.

// How near to a start one has to press to take hold of it, and how near to mean it, in
// pixels of the screen.
const GRASP = { mouse: 12, pen: 16, touch: 24 };
const RING = 11;

function light(label) {
  if (page.lit === label) return;
  page.lit = label;
  redraw();
}

function pointAtPixel(pixel) {
  page.pixel = pixel;
  const { run } = page;
  if (!run.isImage) return;
  const view = page.own ? ownView() : viewOf();
  drawMarks(run, marksOf(run, view));
  drawCloud(run, view);
  fillTable(run, view);
  sayPixel(run, view);
}

// The number of the dot that was drawn at a spot of the cloud, null if none was.
function dotUnder(spot) {
  const far = ([x, y]) => Math.hypot(x - spot[0], y === null ? 0 : y - spot[1]);
  const nearest = drawn.dots.reduce((best, dot) => (best && far(best) <= far(dot) ? best : dot), null);
  return nearest && far(nearest) <= 8 ? nearest[2] : null;
}

function pointAtDot(spot) {
  const { run } = page;
  const dot = spot && dotUnder(spot);
  if (dot === page.dot || !run.isImage) return;
  page.dot = dot;
  const view = page.own ? ownView() : viewOf();
  drawPicture(run, view);
  sayPixel(run, view);
}

// The pixel under the pointer, [row, column].
function pixelUnder(event) {
  const box = byId("picture").getBoundingClientRect();
  const [rows, columns] = page.run.shown;
  const within = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
  return [
    within((event.clientY - box.top) / box.height, rows),
    within((event.clientX - box.left) / box.width, columns),
  ];
}

// The spot under the pointer, in pixels of the canvas of the cloud.
function spotUnder(event) {
  const box = byId("cloud").getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

// ---- Dragging a start ---------------------------------------------------------------

// The number of the start that is under the pointer; -1 if there is none.
function startUnder(event, canvas, reach = GRASP[event.pointerType] ?? GRASP.touch) {
  const { run, own } = page;
  if (!own) return -1;
  const box = canvas.getBoundingClientRect();
  const at = [event.clientX - box.left, event.clientY - box.top];
  const frame = canvas.id === "cloud" && run.d < 3 ? frameOf(run, box) : null;
  const far = own.map(({ row, column, point }) => {
    if (canvas.id === "cloud") {
      if (!frame) return Infinity;
      const [x, y] = frame.project(point);
      return Math.hypot(x - at[0], y - at[1]);
    }
    if (row === null) return Infinity;
    const [rows, columns] = run.shown;
    return Math.hypot(((column + 0.5) / columns) * box.width - at[0], ((row + 0.5) / rows) * box.height - at[1]);
  });
  const nearest = far.indexOf(Math.min(...far));
  return far[nearest] <= reach ? nearest : -1;
}

// Let starts on a canvas be dragged; `placeUnder` tells where a pointer is.
function letDrag(canvas, placeUnder) {
  let pointer = null;
  let moved = false;
  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    const label = startUnder(event, canvas);
    if (label < 0) return;
    page.dragged = label;
    page.run.ranges = rangesOf(page.run);
    [pointer, moved] = [event.pointerId, false];
    canvas.setPointerCapture(pointer);
    event.stopImmediatePropagation();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (page.dragged === null) return;
    event.stopImmediatePropagation();
    const place = event.pointerId === pointer && placeUnder(event);
    if (!place) return;
    moved = true;
    const { own, dragged } = page;
    page.own = own.map((each, label) => (label === dragged ? { ...place, how: "by hand" } : each));
    page.run.start = page.own.map(({ point }) => point);
    page.pixel = null;
    cancelAnimationFrame(page.frame);
    page.frame = requestAnimationFrame(drawOwn);
  });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, (event) => {
      if (page.dragged === null || event.pointerId !== pointer) return;
      event.stopImmediatePropagation();
      page.dragged = null;
      openOwn(page.own);
      // A tap beside the ring, and not on it, is meant for the place.
      if (!moved && startUnder(event, canvas, RING) < 0) drop(placeUnder(event));
      // The click that follows drops nothing.
      page.released = event.timeStamp;
    });
  canvas.addEventListener("click", (event) => {
    if (event.timeStamp - page.released < 50) event.stopImmediatePropagation();
  });
  // A finger on a start does not scroll.
  canvas.addEventListener(
    "touchstart",
    (event) => {
      if (event.touches.length === 1 && startUnder(event.touches[0], canvas) >= 0) event.preventDefault();
    },
    { passive: false },
  );
}

// ---- The picture and the cloud ------------------------------------------------------

function listenToPicture() {
  const picture = byId("picture");
  picture.addEventListener("mousedown", (event) => event.preventDefault());
  letDrag(picture, (event) => startOnPixel(pixelUnder(event)));
  picture.addEventListener("pointermove", (event) => {
    picture.style.cursor = startUnder(event, picture) < 0 ? "" : "grab";
    pointAtPixel(pixelUnder(event));
  });
  picture.addEventListener("pointerdown", (event) => pointAtPixel(pixelUnder(event)));
  picture.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") pointAtPixel(null);
  });
  picture.addEventListener("click", (event) => {
    if (page.own) dropOnPixel(pixelUnder(event));
  });
  picture.addEventListener("keydown", (event) => {
    const [rows, columns] = page.run.shown;
    const far = event.shiftKey ? 1 : Math.max(1, Math.round(columns / 50));
    const ways = { ArrowUp: [-far, 0], ArrowDown: [far, 0], ArrowLeft: [0, -far], ArrowRight: [0, far] };
    const [row, column] = page.pixel ?? [rows >> 1, columns >> 1];
    if (event.key in ways) {
      const [down, right] = ways[event.key];
      const within = (x, count) => Math.max(0, Math.min(count - 1, x));
      pointAtPixel([within(row + down, rows), within(column + right, columns)]);
    } else if (event.key === "Enter" && page.own && page.pixel) dropOnPixel(page.pixel);
    else if (event.key === "Escape") pointAtPixel(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function listenToCloud() {
  const cloud = byId("cloud");
  let from = null;
  let turned = 0;
  // A mouse does not take the focus here: the arrow keys go on to go through the moves.
  cloud.addEventListener("mousedown", (event) => event.preventDefault());
  letDrag(cloud, (event) => startAtSpot(spotUnder(event)));
  const turnBy = (across, up) => {
    const [around, above] = page.turn;
    page.turn = [around + across, Math.max(-1.5, Math.min(1.5, above + up))];
    drawCloud(page.run, page.own ? ownView() : viewOf());
    if (!page.run.isImage) showCompared();
  };
  cloud.addEventListener("pointerdown", (event) => {
    if (page.run.d < 3) return;
    [from, turned] = [[event.clientX, event.clientY], 0];
    cloud.setPointerCapture(event.pointerId);
  });
  cloud.addEventListener("pointerleave", () => pointAtDot(null));
  cloud.addEventListener("pointermove", (event) => {
    if (!from) {
      if (event.pointerType === "mouse") pointAtDot(spotUnder(event));
      return;
    }
    const [across, down] = [event.clientX - from[0], event.clientY - from[1]];
    turned += Math.abs(across) + Math.abs(down);
    turnBy(across / 150, down / 150);
    from = [event.clientX, event.clientY];
  });
  for (const name of ["pointerup", "pointercancel"])
    cloud.addEventListener(name, () => (from = null));
  cloud.addEventListener("click", (event) => {
    if (page.own && turned < 5) dropAt(spotUnder(event));
    turned = 0;
  });
  cloud.addEventListener("keydown", (event) => {
    const way = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    const { width, height } = cloud.getBoundingClientRect();
    if (page.own && page.run.d < 3 && (way || event.key === "Enter")) {
      const [x, y] = page.spot ?? [width / 2, height / 2];
      if (!way) dropAt([x, y]);
      else page.spot = [Math.max(0, Math.min(width, x + 10 * way[0])), Math.max(0, Math.min(height, y + 10 * way[1]))];
      redraw();
    } else if (page.run.d > 2 && way) turnBy(way[0] / 10, way[1] / 10);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  cloud.addEventListener("blur", () => {
    if (page.spot) (page.spot = null), redraw();
  });
}
