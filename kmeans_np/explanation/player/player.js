"use strict";
// The page: which run, which move, and what the reader points at.

const page = {
  runs: [], // As they came, and the reader's own.
  run: null,
  moves: [],
  at: 0,
  mode: "painted",
  lit: null, // A cluster to light up.
  pixel: null, // The pixel that is pointed at, [row, column].
  dot: null, // The dot of the cloud that is pointed at, its number.
  turn: [-0.6, 0.4], // From here, dark is on the left and light on the right.
  playing: null,
  own: null, // The reader's starting centroids; null if they are not chosen now.
  draft: [], // Those that were chosen last, but not run.
  awaited: null, // The address of starts on a picture that is not there yet.
  base: null, // The reader's own picture, as a run without a start.
  elbow: null, // The best run of each k, as far as they are computed.
  dragged: null, // The number of the start that is dragged.
  released: -Infinity, // When a start was let go.
  tried: [], // The runs that can be compared, and the two that are.
  compared: [],
};
const OWN = "own";
// What is painted; false colors are easy to tell apart.
const MODES = { painted: "painted", false: "false colors", changed: "changed", original: "original" };
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

// ---- Moments ----------------------------------------------------------------------

// How the line below the heading reads.
function aboutOf(run) {
  const parts = [run.about];
  if (run.start.length) parts.push(`k = ${run.k}`);
  if (run.space !== "rgb") parts.push(`compared in ${SPACES[run.space].name}`);
  return parts.join(" · ");
}

// Labels of the shown points for the centroids of a move, kept for each step.
function labelsFor(run, move) {
  const centroids = labelCentroids(move);
  if (!centroids) return null;
  const key = move.kind === "stop" ? "end" : move.index;
  run.cache ??= new Map();
  if (!run.cache.has(key)) run.cache.set(key, assign(run.points, centroids).labels);
  return run.cache.get(key);
}

// Which points changed cluster since the step before; null if nobody knows, since that
// step is not kept.
function changedIn(run, move) {
  if (!move.step) return null;
  const labels = labelsFor(run, move);
  if (move.step.iteration === 1) return labels.map(() => 1);
  if (move.kind === "stop") return labels.map(() => 0);
  const before = run.steps[move.index - 1];
  if (before.iteration !== move.step.iteration - 1) return null;
  const previous = labelsFor(run, { kind: "assign", index: move.index - 1, step: before });
  return labels.map((label, i) => (label === previous[i] ? 0 : 1));
}

function viewOf(t = 1) {
  const { run, moves, at, mode, lit, turn } = page;
  const move = moves[at];
  const places = placesOf(run, move, t);
  const view = {
    move, places, mode, lit, turn,
    colors: clusterColors(run, places, mode),
    pointed: null,
    near: pointsNear(),
    labels: labelsFor(run, move),
    changed: mode === "changed" ? changedIn(run, move) : null,
    labelCentroids: labelCentroids(move),
    pixelDistances: null,
    spot: page.spot,
  };
  const i = pointAt();
  if (i >= 0) {
    const distances = places.map((place) => Math.sqrt(squaredDistance(run.points, i, place)));
    view.pointed = { place: pointOf(run, i), distances };
    if (places.length) view.pixelDistances = distances;
  }
  return view;
}

// Which points lie beside the dot that is pointed at: it may stand for several.
function pointsNear() {
  const { run, dot } = page;
  if (dot === null || !run.isImage) return null;
  const place = Array.from(run.dots.subarray(dot * run.d, (dot + 1) * run.d));
  const [low, high] = rangesOf(run)[0];
  const reach = run.weights.length === run.nDistinct ? 1e-9 : (high - low) / 40;
  return Uint8Array.from(run.pixelOf, (_, i) => squaredDistance(run.points, i, place) <= reach ** 2);
}

// The number of the point that is pointed at, or -1.
function pointAt() {
  const { run, pixel } = page;
  if (!pixel || !run.isImage) return -1;
  return run.pointOf[pixel[0] * run.shown[1] + pixel[1]];
}

// ---- Drawing ----------------------------------------------------------------------

function draw(t = 1) {
  const { run, moves, at } = page;
  const view = viewOf(t);
  if (run.isImage) {
    drawPicture(run, view);
    drawMarks(run, marksOf(run, view));
  }
  drawCloud(run, view);
  fillTable(run, view);
  if (t === 1) {
    drawCurve(run, moves[at], go);
    say(run, view.move);
  }
  sayPixel(run, view);
}

// The pixels that lend the first centroids their colors, and the one pointed at.
function marksOf(run, { move, colors }) {
  const marks = [];
  if (page.own) {
    page.own.forEach(({ row, column, point }, label) => {
      if (row !== null)
        marks.push({ row, column, text: String(label), color: rgbOf(run, point) });
    });
  } else if (move.kind === "choose") {
    marks.push(...startMarks(run, colors));
  }
  const dropped = page.own?.some(({ row, column }) => page.pixel?.[0] === row && page.pixel[1] === column);
  if (page.pixel && !dropped) {
    const [row, column] = page.pixel;
    const i = (row * run.shown[1] + column) * 3;
    marks.push({ row, column, text: null, color: [...run.original.slice(i, i + 3)] });
  }
  return marks;
}

// A mark on each pixel that lends a starting centroid its color.
function startMarks(run, colors = run.start.map((place) => rgbOf(run, place))) {
  run.starts ??= run.start.map((_, label) => findPixel(run, label));
  return run.starts.flatMap((pixel, label) => {
    if (pixel < 0) return [];
    const [row, column] = placeOf(run, pixel);
    return [{ row, column, text: String(label), color: colors[label] }];
  });
}

const placeOf = (run, pixel) => [
  Math.floor(pixel / run.shown[1]), pixel % run.shown[1],
];

// A pixel with the color of a starting centroid, -1 if there is none; several centroids
// of the same color have different ones.
function findPixel(run, label) {
  const same = run.start.map((place) => place.every((x, j) => x === run.start[label][j]));
  const before = same.slice(0, label).filter(Boolean).length;
  const place = run.start[label];
  const found = [];
  for (let i = 0; i < run.pixelOf.length; i++)
    if (place.every((x, j) => run.points[i * run.d + j] === x)) found.push(run.pixelOf[i]);
  if (!found.length) return -1;
  return found[Math.floor((found.length * (before + 1)) / (same.filter(Boolean).length + 1))];
}

function say(run, move) {
  const { at, moves } = page;
  const number = move.step ? `step ${move.step.iteration} of ${run.inertias.length}` : "before the first step";
  byId("where").textContent = move.kind === "stop" ? `after ${several(run.inertias.length, "step")}` : number;
  byId("move").textContent =
    move.kind === "flatten" && !run.isImage ? "The points" : TITLES[move.kind];
  byId("sentence").textContent = sentenceOf(run, move);
  byId("formula").innerHTML = formulaOf(run, move);
  const { line, file } = codeOf(run, move);
  byId("code").textContent = line;
  byId("file").textContent = file;
  byId("how").hidden = false;
  byId("story").dataset.kind = move.kind;
  const here = placeOnCurve(run, move);
  // If a cluster has restarted, nobody has computed it yet.
  const unknown = move.kind === "update" && move.step.restarted.length;
  byId("inertia").textContent = here && !unknown ? real(here[1]) : "";
  byId("slider").max = moves.length - 1;
  byId("slider").value = at;
  const name = move.step && move.kind !== "stop"
    ? `${TITLES[move.kind]}, step ${move.step.iteration}` : TITLES[move.kind];
  byId("slider").setAttribute("aria-valuetext", name);
  byId("count").textContent = `move ${at + 1} of ${moves.length}`;
  const [title, place] = [byId("move").textContent, byId("where").textContent];
  byId("count").dataset.move = `${move.step ? `${title}, ${place}` : title} · `;
  // It would answer a question that teachers ask.
  const why = "It never rises: points only go to nearer centroids, and a mean is the best place for one.";
  byId("curve-note").textContent = run.curveNote || (move.kind === "stop" ? why : "");
  askOrTell(run, at);
  byId("first").disabled = byId("back").disabled = at === 0;
  byId("last").disabled = byId("forward").disabled = at === moves.length - 1;
  byId("table-note").textContent =
    run.start.length < run.k
      ? `${run.k} clusters were asked for; there are only ${run.start.length} different ${run.isImage ? "colors" : "points"}.`
      : "Point at a cluster to see where it is.";
}

// What there is to see; but of what is asked first, only the question until the move
// that answers it.
function askOrTell(run, at) {
  const { question } = run;
  const asking = Boolean(question) && at <= firstMove(run);
  byId("ask").hidden = !asking;
  if (asking) {
    // There is no room for both, and on a phone it stands below.
    byId("how").hidden = true;
    byId("count").dataset.move = "A question, below · ";
  }
  byId("intro").textContent = asking ? "" : run.intro ?? "";
  if (!question) return;
  if (!asking) {
    const { said } = run;
    if (said === undefined) return;
    const own = `You said: “${question.choices[said]}” `;
    const right = `It is: “${question.choices[question.right]}” `;
    byId("intro").prepend(own, said === question.right ? "So it is. " : right);
    return;
  }
  byId("question").textContent = question.text;
  byId("choices").replaceChildren(
    ...question.choices.map((text, number) => {
      const choice = document.createElement("button");
      choice.type = "button";
      choice.textContent = text;
      choice.setAttribute("aria-pressed", String(run.said === number));
      choice.addEventListener("click", () => {
        run.said = number;
        play(false);
        go(firstMove(run) + 1, true);
        byId("forward").focus();
      });
      return choice;
    }),
  );
}

function sayPixel(run, { move, labels, changed, pixelDistances }) {
  if (!run.isImage) return;
  const note = byId("pixel");
  if (!page.pixel) {
    note.textContent =
      page.mode === "changed"
        ? changed === null && move.step
          ? "The step before is not kept, so what changed cannot be marked."
          : "Strong colors: pixels that changed cluster in this step. Pale: those that stayed."
        : page.dot !== null
          ? "These pixels have the color of the dot; all others are pale."
          : move.kind === "flatten"
            ? "Point at a pixel to see its color, and where that is among all."
            : "Point at a pixel to see its color and how far it is from each centroid.";
    return;
  }
  const [row, column] = page.pixel;
  const pixel = row * run.shown[1] + column;
  const named = run.d === 1 || run.d === 3;
  const color = run.raw(pixel).map((x, j) => (named ? `${run.channels[j]} ${real(x)}` : real(x))).join(", ");
  const across = (count, i) => Math.floor((i * run.full[count]) / run.shown[count]);
  let text = `Row ${across(0, row)}, column ${across(1, column)}: ${color}.`;
  const i = run.pointOf[pixel];
  const nearest = pixelDistances && pixelDistances.indexOf(Math.min(...pixelDistances));
  if (i < 0) text += " It is excluded.";
  else if (pixelDistances) {
    const far = real(pixelDistances[nearest]);
    const own = labels ? labels[i] : nearest;
    if (own === nearest) {
      let scaled = run.unit === 1 ? "" : ` (of colors divided by ${whole(run.unit).replaceAll(",", "")})`;
      if (run.space !== "rgb") scaled = ` in ${SPACES[run.space].name}`;
      text += ` Nearest is centroid ${nearest}, at a distance of ${far}${scaled}.`;
      const tied = pixelDistances.filter((x) => x === pixelDistances[nearest]).length;
      if (tied > 1) text += " Another is just as near: the first one wins.";
    } else {
      text += ` It is in cluster ${own}, but centroid ${nearest} has come nearer: ${far}. The next assign would move it there.`;
    }
  }
  note.textContent = text;
  note.dataset.nearest = nearest ?? "";
}

// ---- Going ------------------------------------------------------------------------

function go(at, animated = false) {
  if (page.own) return; // There is nothing to go through yet.
  page.at = Math.max(0, Math.min(page.moves.length - 1, at));
  cancelAnimationFrame(page.frame);
  remember();
  draw();
  if (animated && !calm.matches && page.moves[page.at].kind === "update") travel();
}

// How long a move is shown, beside one that changes much: where hardly anything changes,
// there is little to look at.
function pace(move) {
  if (!move.step || move.step.iteration < 3 || move.kind === "stop") return 1;
  const share = move.step.nChanged / page.run.n;
  return Math.max(0.12, Math.min(1, Math.sqrt(share / 0.05)));
}

// Let the centroids travel to their means.
function travel() {
  const begun = performance.now();
  const time = (700 * pace(page.moves[page.at])) / Number(byId("speed").value);
  const tick = () => {
    const share = Math.min(1, (performance.now() - begun) / time);
    draw(share < 1 ? 1 - (1 - share) ** 3 : 1);
    if (share < 1) page.frame = requestAnimationFrame(tick);
  };
  tick();
}

const forward = () => go(page.at + 1, true);
const back = () => go(page.at - 1);

function play(on) {
  if (page.own && on) return;
  clearTimeout(page.playing);
  page.playing = null;
  if (on) {
    if (page.at === page.moves.length - 1) go(0);
    playOn();
  }
  byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
  byId("play").classList.toggle("on", on);
  byId("story").setAttribute("aria-live", on ? "off" : "polite");
}

function playOn() {
  const time = (1500 * pace(page.moves[page.at])) / Number(byId("speed").value);
  page.playing = setTimeout(() => {
    forward();
    const { at, moves, run } = page;
    const asks = run.question && run.said === undefined && at === firstMove(run);
    if (asks || at === moves.length - 1) play(false);
    else playOn();
  }, time);
}

// Where a run is opened: at its question, if it has one.
const firstMove = ({ question, ...run }) =>
  question ? movesOf(run).findIndex((move) => nameOf(move) === question.move) : 0;

function open(run, at = 0) {
  play(false);
  byId("play").disabled = byId("slider").disabled = false;
  const nothing = { lit: null, pixel: null, dot: null, spot: null, own: null, dragged: null };
  Object.assign(page, { run, moves: movesOf(run), ...nothing });
  for (const tab of byId("runs").children)
    press(tab, tab.dataset.run === run.id);
  document.body.classList.toggle("points", !run.isImage);
  document.body.classList.remove("choosing");
  byId("own").hidden = run.id !== OWN;
  if (run.id === OWN) {
    byId("own-text").textContent = "This is your run; below, it stands beside the one before. For another one, take a centroid away, clear them all, or have all chosen again.";
    byId("own-run").disabled = true;
    byId("own-random").disabled = false;
    byId("own-random").textContent = "Choose again";
    byId("own-space").value = run.space;
    buildChips(run, run.own);
  }
  byId("about").textContent = aboutOf(run);
  buildTable(run, light);
  nameViews(run);
  showElbow();
  showCompared();
  go(at);
}

function press(tab, on) {
  const was = tab.getAttribute("aria-pressed") === "true";
  tab.setAttribute("aria-pressed", String(on));
  // Only the row of tabs moves, and not the page under the reader's finger.
  const row = tab.parentElement;
  if (on && !was) row.scrollLeft = tab.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
}

function nameViews(run) {
  byId("cloud-title").textContent =
    run.d > 2 ? (run.isImage && run.d === 3 ? "The colors" : "The points")
      : run.d === 2 ? "The plane" : run.isImage ? "The gray levels" : "The line";
  const notes = [];
  if (run.d > 2) notes.push("Drag to turn.");
  if (run.d > 3) notes.push(`The first three of ${run.d} features are shown.`);
  if (run.weights.length < run.nDistinct)
    notes.push(`${whole(run.weights.length)} dots stand for ${whole(run.nDistinct)} different ${run.isImage ? "colors" : "points"}${run.d > 3 || !run.isImage ? "" : "; nearby colors are merged"}.`);
  else if (run.isImage && run.d === 1) notes.push("The height of a bar is the number of its pixels.");
  else if (run.isImage) notes.push("The area of a dot is the number of its pixels.");
  byId("cloud-note").textContent = notes.join(" ");
  byId("cloud").setAttribute("aria-label", `${byId("cloud-title").textContent}, with the centroids${run.d > 2 ? "; the arrow keys turn it" : ""}`);
  byId("picture").setAttribute("aria-label", "The picture; the arrow keys move over its pixels");
  const kept = run.steps.length;
  run.curveNote =
    kept < run.inertias.length
      ? `Of ${run.inertias.length} steps ${kept} can be visited: the first ten, the last ten, and some between.`
      : "";
  const small = [];
  if (run.isImage && run.shown.some((count, axis) => count < run.full[axis]))
    small.push(`The picture is shown reduced, ${run.shown.slice(0, 2).map(whole).join(" × ")} of ${run.full.map(whole).join(" × ")} pixels. What is computed is not reduced: all numbers are those of all pixels.`);
  else if (run.reduced)
    small.push(`${whole(run.nPixels)} of ${whole(run.n)} points are kept on this page; all numbers are those of all points.`);
  if (run.plane) small.push(`Plane ${run.plane[0]} of ${run.plane[1]} is shown.`);
  byId("small-print").textContent = small.join(" ");
}

// ---- What the reader does ---------------------------------------------------------

function listenToControls() {
  const jump = (at) => () => {
    play(false);
    go(at());
  };
  byId("first").addEventListener("click", jump(() => 0));
  byId("last").addEventListener("click", jump(() => page.moves.length - 1));
  byId("back").addEventListener("click", () => (play(false), back()));
  byId("forward").addEventListener("click", () => (play(false), forward()));
  byId("play").addEventListener("click", () => play(!page.playing));
  byId("slider").addEventListener("input", jump(() => Number(byId("slider").value)));
  byId("speed").addEventListener("change", () => page.playing && play(true));
  // After a press of the mouse there, space still plays.
  for (const id of ["runs", "paint"])
    byId(id).addEventListener("mousedown", (event) => event.preventDefault());
  byId("own-random").addEventListener("click", fillUp);
  for (const id of Object.values(FIELDS)) byId(id).addEventListener("change", remember);
  byId("own-k").addEventListener("input", () => page.own && drawOwn());
  byId("own-space").addEventListener("change", compareInSpace);
  byId("own-clear").addEventListener("click", () => {
    page.mine = null;
    openOwn();
  });
  byId("own-run").addEventListener("click", runOwn);
  byId("own-elbow").addEventListener("click", compareK);
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { tagName } = event.target;
    // The slider, numbers and choices have a use for these keys of their own.
    if (tagName === "SELECT" || (tagName === "INPUT" && (event.key !== " " || event.target.type !== "range"))) return;
    if ((tagName === "BUTTON" || tagName === "SUMMARY") && event.key === " ") return;
    const keys = {
      ArrowLeft: () => (play(false), back()),
      ArrowRight: () => (play(false), forward()),
      Home: jump(() => 0),
      End: jump(() => page.moves.length - 1),
      " ": () => play(!page.playing),
    };
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  window.addEventListener("hashchange", goToAddress);
  for (const event of ["resize", "beforeprint", "afterprint"])
    window.addEventListener(event, redraw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

function redraw() {
  if (page.own) drawOwn();
  else draw();
  if (page.elbow) showElbow();
  showCompared();
}

function buildTabs() {
  const tabs = page.runs.map((run) => ({ id: run.id, title: run.title, act: () => open(run, firstMove(run)) }));
  tabs.push({ id: OWN, title: "Try it yourself", act: goToTrials });
  byId("runs").replaceChildren(
    ...tabs.map(({ id, title, act }) => {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.dataset.run = id;
      tab.textContent = title;
      tab.addEventListener("click", act);
      return tab;
    }),
  );
}

// The reader's tab, as it was left.
function goToTrials() {
  if (!byId("own").hidden) return;
  if (!page.base && !page.mine && !page.draft.length) useBase(keptPicture());
  if (page.mine) open(page.mine, 1);
  else openOwn(page.draft);
}

function buildModes() {
  byId("paint").replaceChildren(
    ...Object.entries(MODES).map(([mode, name]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.dataset.mode = mode;
      button.addEventListener("click", () => {
        chooseMode(mode);
        remember();
        redraw();
      });
      return button;
    }),
  );
}

function chooseMode(mode) {
  page.mode = mode;
  for (const button of byId("paint").children)
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
}

async function start() {
  const data = JSON.parse(byId("data").textContent);
  page.runs = await Promise.all(data.map(prepare));
  buildTabs();
  buildModes();
  listenToPicture();
  listenToCloud();
  listenToControls();
  listenToFiles();
  listenToCompared();
  fillFields(new URLSearchParams());
  goToAddress();
  document.body.classList.add("ready");
}

start().catch((error) => {
  byId("about").textContent = "This browser is too old for the page; it needs one of 2023 or later.";
  document.body.classList.add("ready");
  throw error;
});
