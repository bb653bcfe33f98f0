"use strict";
// The tab in which readers try a start of their own, on a picture of their own if they
// bring one.

const MOST_OWN = 16;
const KINDS_OF_PICTURES = /^image\//;

// ---- Choosing ---------------------------------------------------------------------

function openOwn(starts = [], { pixel = null, spot = null } = {}) {
  cancelAnimationFrame(page.frame);
  Object.assign(page, { mine: null, draft: starts, dragged: null });
  const base = baseRun();
  const run = {
    ...base, id: OWN, cache: undefined, starts: undefined, steps: [], inertias: [],
    start: starts.map(({ point }) => point), k: starts.length, intro: "",
    bests: base.reduced ? [] : base.bests,
    about: [base.about, base.reduced && "of which your runs use those shown", isWeighted(base) && "your runs count each pixel once"].filter(Boolean).join(", "),
  };
  Object.assign(page, { run });
  const where = base.isImage ? "the picture, or a dot of its colors," : base.d === 2 ? "the plane" : "the line";
  byId("own-text").textContent =
    base.isImage || base.d < 3
      ? `Tap ${where} to drop the first centroids, up to ${MOST_OWN} (by keyboard: arrow keys and Enter), and drag them there. Tap one in the list to take it away. Then run.`
      : "Take some of the points as the first centroids: tap them, or have them chosen at random or by k-means++; another seed takes others. Then run.";
  play(false);
  Object.assign(page, { moves: [{ kind: "choose" }], at: 0, own: starts, lit: null, dot: null, pixel, spot });
  for (const tab of byId("runs").children)
    press(tab, tab.dataset.run === OWN);
  document.body.classList.toggle("points", !run.isImage);
  document.body.classList.add("choosing");
  byId("own").hidden = false;
  byId("own-space-label").hidden = !hasSpaces(base);
  // How many centroids there are, the list says: so that this line stays as long.
  byId("about").textContent = aboutOf({ ...run, start: [] });
  buildTable(run, light);
  nameViews(run);
  buildChips(run, starts);
  showElbow();
  showCompared();
  remember();
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
  byId("own-random").textContent = own.length ? "Choose the rest" : "Choose them for me";
  byId("ask").hidden = true;
  byId("own-file").hidden = !run.isImage;
  byId("own-back").hidden = !page.base;
  for (const id of ["first", "back", "play", "forward", "last", "slider"])
    byId(id).disabled = true;
  const view = ownView();
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

// Before there is a run; while a start is dragged, what its first assign would do.
function ownView() {
  const { run, dragged } = page;
  const view = { ...viewOf(), labels: null };
  if (dragged === null) return view;
  const { labels } = assign(run.points, run.start);
  return { ...view, labels, labelCentroids: run.start, mode: page.mode === "false" ? "false" : "painted" };
}

// What the reader's own runs are made of.
const baseRun = () => spaceOfBase(byId("own-space").value);

// Each picture in the spaces in which it has been compared.
const inSpaces = new WeakMap();

function spaceOfBase(space) {
  const base = page.base ?? page.runs[0];
  if (!inSpaces.has(base)) inSpaces.set(base, new Map());
  const known = inSpaces.get(base);
  if (!known.has(space)) known.set(space, hasSpaces(base) ? inSpace(base, space) : base);
  return known.get(space);
}

// The same starts, in the space that was chosen.
function compareInSpace() {
  const starts = page.own ?? page.mine?.own ?? [];
  const [from, base] = [page.run.space, baseRun()];
  page.elbow = page.mine = null;
  openOwn(
    starts.map((each) => {
      const { row, column, point } = each;
      if (row !== null) return { ...each, point: pointOf(base, base.pointOf[row * base.shown[1] + column]) };
      return { ...each, point: SPACES[base.space].fromRgb(SPACES[from].toRgb(point)) };
    }),
  );
}

// How many centroids are asked for.
const wanted = () => Math.min(MOST_OWN, Math.max(1, Math.round(Number(byId("own-k").value)) || 1));

function drop(start) {
  if (!start || page.own.length >= MOST_OWN) return;
  openOwn([...page.own, { ...start, how: "by hand" }], page);
}

// Another picture, or that of the page, null.
function useBase(base) {
  if (page.base === base) return;
  page.base = base;
  forgetRuns();
}

// Whether the points of a run count more or less than once.
function isWeighted(run) {
  const { counts } = run.steps[0] ?? { counts: [run.n] };
  return Math.abs(counts.reduce((sum, count) => sum + count, 0) - run.n) > 1e-6 * run.n;
}

const pointOf = (run, i) => Array.from(run.points.subarray(i * run.d, (i + 1) * run.d));

// A start on a pixel, null if that takes no part.
function startOnPixel([row, column]) {
  const { run } = page;
  const i = run.pointOf[row * run.shown[1] + column];
  return i < 0 ? null : { row, column, point: pointOf(run, i) };
}

// A start at a spot of the cloud: anywhere on a plane or line, in space at a dot.
function startAtSpot(spot) {
  const { run } = page;
  const { width, height } = byId("cloud").getBoundingClientRect();
  const inside = [Math.max(0, Math.min(width, spot[0])), Math.max(0, Math.min(height, spot[1]))];
  if (run.d < 3) return { row: null, column: null, point: frameOf(run, { width, height }).place(inside) };
  const dot = dotUnder(spot);
  return dot === null ? null : { row: null, column: null, point: Array.from(run.dots.subarray(dot * run.d, (dot + 1) * run.d)) };
}

const dropOnPixel = (pixel) => drop(startOnPixel(pixel));
const dropAt = (spot) => drop(startAtSpot(spot));

// What the fields choose beside starts that are there.
function chosenStarts(own) {
  const [run, init] = [baseRun(), byId("own-init").value];
  const seed = Number(byId("own-seed").value) || 0;
  const given = own.map(({ point }) => point);
  return startsAt(run, chooseStart(run, wanted(), init, seed, given), `${init} with seed ${seed}`);
}

function fillUp() {
  // After a run, all are chosen anew.
  const own = page.own ?? [];
  const all = [...own, ...chosenStarts(own)];
  openOwn(all);
  if (all.length < wanted())
    byId("own-text").textContent = `There are only ${all.length} different ${page.run.isImage ? "colors" : "points"}.`;
}

function runOwn() {
  const { run, own } = page;
  const { tol, maxIter } = baseRun();
  const start = own.map(({ point }) => point);
  const found = lloyd(run.points, start, { tol, maxIter });
  const mine = { ...run, ...found, n: run.pixelOf.length, all: run.pixelOf.length, cache: undefined };
  mine.own = own;
  mine.how = [...new Set(own.map(({ how }) => how))].join(" and ");
  mine.init = ["random", "k-means++"].find((init) => own.every(({ how }) => how.startsWith(`${init} with`))) ?? "given";
  mine.nInit = 1;
  byId("own-k").value = own.length;
  mine.starts = own.map(({ row, column }) => (row === null ? -1 : row * run.shown[1] + column));
  page.mine = mine;
  keepTried(mine);
  open(mine, 1);
}

// The points of these numbers, as starts.
function startsAt(run, chosen, how) {
  return chosen.map((i) => {
    const [row, column] = run.isImage ? placeOf(run, run.pixelOf[i]) : [null, null];
    return { row, column, point: pointOf(run, i), how };
  });
}

// Compute the best run of each k, and draw each as it comes.
function compareK() {
  const run = baseRun();
  const found = [];
  page.elbow = found;
  page.elbowOf = run;
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
  // That of another picture or color space is none.
  if (page.elbow && page.elbowOf !== baseRun()) page.elbow = null;
  byId("elbow-view").hidden = !page.elbow;
  const k = page.own ? 0 : page.mine?.chosen?.length;
  if (page.elbow) fillElbow(page.elbow, k, showBest);
}

function showBest({ chosen }) {
  byId("own-k").value = chosen.length;
  openOwn(startsAt(baseRun(), chosen, "the best of its k"));
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
    const pixels = pixelsOf(bitmap, file.name || "A picture");
    useBase(runOfPixels(pixels, page.runs[0]));
    keepPicture(pixels);
  } catch (error) {
    byId("own-text").textContent = `${file.name || "This picture"} cannot be shown. ${error.message}`;
    return;
  }
  const { awaited } = page;
  page.awaited = null;
  openOwn(awaited ? knownStarts(awaited) : []);
}

// The runs of another picture say nothing about this one.
function forgetRuns() {
  Object.assign(page, { mine: null, draft: [], elbow: null, tried: [], compared: [] });
}

function listenToFiles() {
  byId("own-picture").addEventListener("change", (event) => {
    openPicture(event.target.files[0]);
    event.target.value = "";
  });
  byId("own-back").addEventListener("click", () => {
    useBase(null);
    forgetPicture();
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
    if (event.dataTransfer.files.length) openHere(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) openHere(file);
  });
}

// Open a picture in the reader's tab, whichever is open.
function openHere(file) {
  if (byId("own").hidden) openOwn(page.draft);
  openPicture(file);
}
