"use strict";
// The tab in which readers try a start of their own, on a picture of their own if they
// bring one.

const MOST_OWN = 16;
const KINDS_OF_PICTURES = /^image\//;

// ---- Choosing ---------------------------------------------------------------------

function openOwn(starts = [], { pixel = null, spot = null } = {}) {
  cancelAnimationFrame(page.frame);
  const base = baseRun();
  const run = {
    ...base, id: OWN, cache: undefined, starts: undefined, steps: [], inertias: [],
    start: starts.map(({ point }) => point), k: starts.length, intro: "",
    bests: base.reduced ? [] : base.bests,
    about: base.reduced ? `${base.about}, of which your runs use those shown` : base.about,
  };
  Object.assign(page, { run });
  const where = base.isImage ? "the picture" : base.d === 2 ? "the plane" : "the line";
  byId("own-text").textContent =
    base.isImage || base.d < 3
      ? `Tap ${where} to drop the first centroids, up to ${MOST_OWN} (by keyboard: arrow keys and Enter). Tap one in the list to take it away. Then run.`
      : "Take some of the points as the first centroids, at random or by k-means++; another seed takes others. Then run.";
  play(false);
  Object.assign(page, { moves: [{ kind: "choose" }], at: 0, own: starts, lit: null, dot: null, pixel, spot });
  for (const tab of byId("runs").children)
    press(tab, tab.dataset.run === OWN);
  document.body.classList.toggle("points", !run.isImage);
  document.body.classList.add("choosing");
  byId("own").hidden = false;
  byId("about").textContent = run.about;
  buildTable(run, light);
  nameViews(run);
  buildChips(run, starts);
  showElbow();
  writeAddress(`#${addressOfStarts(starts)}`);
  drawOwn();
}

function buildChips(run, own) {
  byId("own-chips").replaceChildren(
    ...own.map(({ point }, label) => {
      const item = document.createElement("li");
      const chip = document.createElement("button");
      chip.type = "button";
      chip.title = `Take centroid ${label} away`;
      chip.setAttribute("aria-label", chip.title);
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = css(clusterColors(run, own.map((each) => each.point))[label]);
      chip.append(swatch, String(label));
      chip.addEventListener("click", () => {
        openOwn(own.filter((_, i) => i !== label));
        (byId("own-chips").querySelector("button") ?? byId("own-random")).focus();
      });
      item.append(chip);
      return item;
    }),
  );
}

function drawOwn() {
  const { run, own } = page;
  byId("own-run").disabled = own.length === 0;
  byId("own-random").disabled = own.length >= wanted();
  byId("own-file").hidden = !run.isImage;
  byId("own-back").hidden = !page.base;
  for (const id of ["first", "back", "play", "forward", "last", "slider"])
    byId(id).disabled = true;
  const view = { ...viewOf(), labels: null };
  if (run.isImage) {
    drawPicture(run, view);
    drawMarks(run, marksOf(run, view));
  }
  drawCloud(run, view);
  fillTable(run, view);
  sayPixel(run, view);
  byId("curve").replaceChildren();
  byId("where").textContent = "before the first step";
  byId("move").textContent = "Choose your own start";
  byId("sentence").textContent = own.length
    ? `${several(own.length, "centroid")} so far.`
    : "Where will the centroids end if they start somewhere else?";
  for (const id of ["formula", "code", "file", "inertia", "intro", "count", "curve-note", "table-note"])
    byId(id).textContent = "";
  byId("count").dataset.move = byId("move").textContent;
  byId("how").hidden = true;
  byId("slider").max = byId("slider").value = 0;
}

// What the reader's own runs are made of.
const baseRun = () => page.base ?? page.runs[0];

// How many centroids are asked for.
const wanted = () => Math.min(MOST_OWN, Math.max(1, Math.round(Number(byId("own-k").value)) || 1));

// Drop a centroid: on a pixel, or at a place of the plane.
function drop({ row = null, column = null, point }) {
  if (page.own.length >= MOST_OWN) return;
  openOwn([...page.own, { row, column, point }], page);
}

const pointOf = (run, i) => Array.from(run.points.subarray(i * run.d, (i + 1) * run.d));

function dropOnPixel([row, column]) {
  const { run } = page;
  const i = run.pointOf[row * run.shown[1] + column];
  if (i >= 0) drop({ row, column, point: pointOf(run, i) });
}

// A place on the plane or line, in pixels of the screen.
function dropAt(spot) {
  const { width, height } = byId("cloud").getBoundingClientRect();
  drop({ point: frameOf(page.run, { width, height }).place(spot) });
}

function fillUp() {
  const { run, own } = page;
  const seed = Number(byId("own-seed").value) || 0;
  const given = own.map(({ point }) => point);
  const chosen = chooseStart(run, wanted(), byId("own-init").value, seed, given);
  openOwn([...own, ...startsAt(run, chosen)]);
}

function runOwn() {
  const { run, own } = page;
  const { tol, maxIter } = baseRun();
  const start = own.map(({ point }) => point);
  const found = lloyd(run.points, start, { tol, maxIter });
  const mine = { ...run, ...found, n: run.pixelOf.length, all: run.pixelOf.length, init: "given", cache: undefined };
  mine.own = own;
  mine.starts = own.map(({ row, column }) => (row === null ? -1 : row * run.shown[1] + column));
  page.mine = mine;
  open(mine, 1);
}

// The points of these numbers, as starts.
function startsAt(run, chosen) {
  return chosen.map((i) => {
    const [row, column] = run.isImage ? placeOf(run, run.pixelOf[i]) : [null, null];
    return { row, column, point: pointOf(run, i) };
  });
}

// Compute the best run of each k, and draw each as it comes.
function compareK() {
  const run = baseRun();
  const found = [];
  page.elbow = found;
  byId("elbow-ks").replaceChildren(); // Buttons of another seed.
  const all = bestOfEachK(run, Number(byId("own-seed").value) || 0, run);
  const next = () => {
    if (!page.elbow) byId("elbow-view").removeAttribute("aria-busy");
    if (page.elbow !== found) return; // Another picture, or another seed.
    const { value, done } = all.next();
    if (done) return byId("elbow-view").removeAttribute("aria-busy");
    if (value) found.push(value);
    if (value && page.run.id === OWN) showElbow();
    setTimeout(next);
  };
  showElbow();
  byId("elbow-view").setAttribute("aria-busy", "true");
  setTimeout(next);
}

function showElbow() {
  byId("elbow-view").hidden = !page.elbow;
  const k = page.own ? 0 : page.mine?.chosen?.length;
  if (page.elbow) fillElbow(page.elbow, k, showBest);
}

function showBest({ chosen }) {
  byId("own-k").value = chosen.length;
  openOwn(startsAt(baseRun(), chosen));
  runOwn();
  page.mine.chosen = chosen;
  go(page.moves.length - 1);
  showElbow();
}

// ---- A picture of the reader's own --------------------------------------------------

async function openPicture(file) {
  if (!file || !KINDS_OF_PICTURES.test(file.type)) {
    byId("own-text").textContent = `${file?.name || "This"} is no picture that a browser shows: take a PNG, a JPEG or a WebP.`;
    return;
  }
  try {
    // As the camera was held.
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    page.base = runOfPicture(bitmap, file.name || "A picture", page.runs[0]);
    page.elbow = null;
  } catch (error) {
    byId("own-text").textContent = `${file.name || "This picture"} cannot be shown. ${error.message}`;
    return;
  }
  page.mine = null;
  openOwn();
}

function listenToFiles() {
  byId("own-picture").addEventListener("change", (event) => {
    openPicture(event.target.files[0]);
    event.target.value = "";
  });
  byId("own-back").addEventListener("click", () => {
    page.base = page.mine = page.elbow = null;
    openOwn();
  });
  const over = (on) => (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", on);
  };
  document.addEventListener("dragover", over(true));
  document.addEventListener("dragleave", over(false));
  document.addEventListener("drop", (event) => {
    over(false)(event);
    if (event.dataTransfer.files.length) showOwn(() => openPicture(event.dataTransfer.files[0]));
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) showOwn(() => openPicture(file));
  });
}

// Open the reader's tab, if it is not open, and do something there.
function showOwn(act) {
  if (!page.own) openOwn();
  act();
}
