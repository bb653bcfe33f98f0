"use strict";
// The views: the picture, the cloud of colors or the plane of points, the inertia curve
// and the table of clusters. Each draws one moment and keeps nothing of it.

const CLUSTERS = [
  "#3a6fb5", "#dd7a2a", "#3d9970", "#8a5fb3", "#c94f5e", "#2b9db0", "#b58f1e", "#7a8494",
];
// More centroids than these are drawn small, without numbers.
const MANY = 16;
const byId = (id) => document.getElementById(id);
const themed = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const hexToRgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const css = (rgb) => `rgb(${rgb.join(" ")})`;
const mix = (one, other, share) => one.map((x, j) => x + share * (other[j] - x));
const isDark = ([r, g, b]) => 0.3 * r + 0.6 * g + 0.1 * b < 140;

// The color of each cluster, whose centroids are at these places: its own, or one of
// those that are easy to tell apart.
function clusterColors(run, places, mode) {
  return places.map((place, label) => {
    if (!run.isImage) return hexToRgb(CLUSTERS[label % CLUSTERS.length]);
    return mode === "false" ? run.separated[label % run.separated.length] : rgbOf(run, place);
  });
}

// A canvas as large as it is shown, in the pixels of the screen.
function fit(canvas, height) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return { pen, width, height };
}

// How high picture and cloud may be for both to be seen at once, with the story below.
function heightLeft() {
  const { innerWidth: across, innerHeight: up } = window;
  const within = (low, height, high) => Math.max(low, Math.min(high, height));
  if (up < 480) return within(130, up - 190, 300);
  // On a narrow screen they stand one over the other.
  if (across < 704) return within(140, (up - 420) / 2, 320);
  return within(240, up - 400, 720);
}

// ---- The picture ------------------------------------------------------------------

// `mode` is "painted", "false", "changed" or "original"; `lit` a cluster to light up, or
// null; `near` the points beside the dot that is pointed at, or null.
function drawPicture(run, view, canvas = byId("picture"), most = heightLeft()) {
  const { labels, changed, colors, mode, lit, near } = view;
  const [rows, columns] = run.shown;
  const room = canvas.parentElement.clientWidth;
  const scale = Math.min(room / columns, most / rows);
  canvas.style.width = `${Math.max(1, scale * columns)}px`;
  canvas.style.height = `${Math.max(1, scale * rows)}px`;
  canvas.width = columns;
  canvas.height = rows;
  const pen = canvas.getContext("2d");
  const picture = pen.createImageData(columns, rows);
  const paper = hexToRgb(themed("--paper"));
  const faded = colors.map((color) => mix(color, paper, 0.82));
  const painted = labels && mode !== "original";
  for (let pixel = 0; pixel < run.nPixels; pixel++) {
    const i = run.pointOf[pixel];
    const own = [0, 1, 2].map((j) => run.original[pixel * 3 + j]);
    let color = own;
    if (i < 0) color = mix(own, paper, 0.7);
    else if (near) color = near[i] ? own : mix(own, paper, 0.85);
    else if (labels) {
      const fade =
        (lit !== null && labels[i] !== lit) || (mode === "changed" && changed && !changed[i]);
      if (painted) color = (fade ? faded : colors)[labels[i]];
      else if (fade) color = mix(own, paper, 0.82);
    }
    picture.data[pixel * 4] = color[0];
    picture.data[pixel * 4 + 1] = color[1];
    picture.data[pixel * 4 + 2] = color[2];
    picture.data[pixel * 4 + 3] = 255;
  }
  pen.putImageData(picture, 0, 0);
}

// Rings on the picture: [{row, column, color, text}].
function drawMarks(run, marks, canvas = byId("marks"), shown = byId("picture")) {
  canvas.style.width = shown.style.width;
  canvas.style.height = shown.style.height;
  const { pen, width, height } = fit(canvas, shown.clientHeight);
  const [rows, columns] = run.shown;
  for (const { row, column, color, text } of marks) {
    const at = [((column + 0.5) / columns) * width, ((row + 0.5) / rows) * height];
    drawCentroid(pen, at, color, text);
  }
}

function drawCentroid(pen, [x, y], color, text, size = 9) {
  const dark = isDark(color);
  pen.beginPath();
  pen.arc(x, y, size, 0, 2 * Math.PI);
  pen.fillStyle = css(color.map(Math.round));
  pen.fill();
  pen.lineWidth = 2.5;
  pen.strokeStyle = "#fff";
  pen.stroke();
  pen.beginPath();
  pen.arc(x, y, size + 1.75, 0, 2 * Math.PI);
  pen.lineWidth = 1.25;
  pen.strokeStyle = "#1f2530";
  pen.stroke();
  if (text === null) return;
  pen.fillStyle = dark ? "#fff" : "#1f2530";
  pen.font = `600 ${size + 1}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(text, x, y + 0.5);
}

// ---- The cloud, the plane, the line -----------------------------------------------

// The ranges that are shown: of all dots and of all the places where centroids are.
function rangesOf(run) {
  // While a start is dragged, they stay.
  if (run.ranges) return run.ranges;
  const ranges = Array.from({ length: run.d }, () => [Infinity, -Infinity]);
  const take = (x, j) => {
    ranges[j] = [Math.min(ranges[j][0], x), Math.max(ranges[j][1], x)];
  };
  run.dots.forEach((x, i) => take(x, i % run.d));
  const places = [run.start, ...run.steps.map((step) => step.newCentroids)];
  places.flat().forEach((place) => place.forEach(take));
  if (!run.isImage)
    return ranges.map(([low, high]) => (high > low ? [low, high] : [low - 0.5, high + 0.5]));
  // Colors: all channels alike, so that distances look as long as they are.
  const reach = Math.max(...ranges.map(([low, high]) => high - low)) / 2 || 0.5;
  return ranges.map(([low, high]) => [(low + high) / 2 - reach, (low + high) / 2 + reach]);
}

// What a move shows of the dots: where, in which color, how large.
function dotsOf(run, view) {
  const m = run.weights.length;
  const total = run.weights.reduce((sum, weight) => sum + weight, 0);
  const centroids = view.labelCentroids;
  const labels = centroids && assign(run.dots, centroids).labels;
  const soft = hexToRgb(themed("--soft"));
  const stage = hexToRgb(themed("--stage"));
  return Array.from({ length: m }, (_, i) => {
    const place = Array.from(run.dots.subarray(i * run.d, (i + 1) * run.d));
    let color = run.isImage ? rgbOf(run, place) : soft;
    if (labels) {
      color = view.colors[labels[i]];
      if (view.lit !== null && labels[i] !== view.lit) color = mix(color, stage, 0.85);
    }
    const size = Math.min(7, Math.max(0.9, 60 * Math.sqrt(run.weights[i] / total)));
    return { place, color, size, label: labels ? labels[i] : -1, index: i };
  });
}

function drawCloud(run, view, canvas = byId("cloud"), most = heightLeft()) {
  const height = Math.min(most, canvas.clientWidth * 0.9);
  const sheet = fit(canvas, run.d === 1 ? 220 : height);
  canvas.style.height = `${sheet.height}px`;
  if (run.d === 1) drawLine(run, view, sheet);
  else if (run.d === 2) drawPlane(run, view, sheet);
  else drawSpace(run, view, sheet);
  if (view.spot) drawCentroid(sheet.pen, view.spot, hexToRgb(themed("--accent")), null, 5);
}

// Where the centroids have been up to this moment, for each cluster.
function trailsOf(run, view) {
  if (!view.places.length) return [];
  const past = view.move.step
    ? run.steps.slice(0, view.move.index + (view.move.kind === "assign" ? 0 : 1))
    : [];
  if (view.move.kind === "update") past.pop();
  const stations = [run.start, ...past.map((step) => step.newCentroids), view.places];
  return run.start.map((_, label) => stations.map((station) => station[label]));
}

function drawTrails(pen, run, view, project) {
  trailsOf(run, view).forEach((trail, label) => {
    pen.beginPath();
    trail.forEach((place, i) => {
      const [x, y] = project(place);
      if (i) pen.lineTo(x, y);
      else pen.moveTo(x, y);
    });
    pen.strokeStyle = themed("--ink");
    pen.globalAlpha = view.lit === null || view.lit === label ? 0.75 : 0.2;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.globalAlpha = 1;
  });
  const key = (label) => view.places[label].join();
  view.places.forEach((place, label) => {
    if (view.lit !== null && view.lit !== label) return;
    // Several at one place share a ring.
    const here = view.places.map((_, other) => other).filter((other) => key(other) === key(label));
    const alone = here.length === 1 || view.lit !== null;
    if (!alone && here[0] !== label) return;
    const many = view.places.length > MANY && view.lit === null;
    const text = alone ? String(label) : here.join();
    drawCentroid(pen, project(place), view.colors[label], many ? null : text, many ? 4 : alone ? 9 : 12);
  });
}

// The point that is pointed at in the picture, with lines to the centroids.
function drawPointed(pen, run, view, project) {
  if (!view.pointed) return;
  const { place, distances } = view.pointed;
  const [x, y] = project(place);
  const nearest = distances.indexOf(Math.min(...distances));
  view.places.forEach((centroid, label) => {
    const [right, up] = project(centroid);
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(right, up);
    pen.setLineDash(label === nearest ? [] : [3, 4]);
    pen.lineWidth = label === nearest ? 2.5 : 1.25;
    pen.strokeStyle = themed(label === nearest ? "--accent" : "--soft");
    pen.stroke();
  });
  pen.setLineDash([]);
  drawCentroid(pen, [x, y], rgbOf(run, place), null, 6);
}

// The dots as they were drawn last: [x, y, number] each.
const drawn = { dots: [] };

// Three axes, seen from the direction `view.turn` = [around, above].
function drawSpace(run, view, { pen, width, height }) {
  const ranges = rangesOf(run).slice(0, 3);
  const [around, above] = view.turn;
  const scale = Math.min(width, height) * 0.54;
  const project = (place) => {
    const [x, y, z] = ranges.map(
      ([low, high], j) => (place[j] - (low + high) / 2) / (high - low),
    );
    const across = x * Math.cos(around) - y * Math.sin(around);
    const along = x * Math.sin(around) + y * Math.cos(around);
    const up = z * Math.cos(above) - along * Math.sin(above);
    const depth = z * Math.sin(above) + along * Math.cos(above);
    return [width / 2 + scale * across, height / 2 - scale * up, depth];
  };
  drawBox(pen, run, ranges, project);
  const dots = dotsOf(run, view).map((dot) => ({ ...dot, at: project(dot.place) }));
  dots.sort((one, other) => other.at[2] - one.at[2]);
  for (const { at, color, size } of dots) {
    pen.fillStyle = css(color.map(Math.round));
    pen.beginPath();
    pen.arc(at[0], at[1], size, 0, 2 * Math.PI);
    pen.fill();
  }
  drawn.dots = dots.map(({ at, index }) => [at[0], at[1], index]);
  nameAxes(pen, run, ranges, project);
  drawPointed(pen, run, view, project);
  drawTrails(pen, run, view, project);
}

function drawBox(pen, run, ranges, project) {
  const corner = (bits) => ranges.map((range, j) => range[(bits >> j) & 1]);
  pen.strokeStyle = themed("--edge");
  pen.lineWidth = 1;
  for (let bits = 0; bits < 8; bits++) {
    for (let j = 0; j < 3; j++) {
      if (bits & (1 << j)) continue;
      const [x, y] = project(corner(bits));
      const [right, up] = project(corner(bits | (1 << j)));
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(right, up);
      pen.stroke();
    }
  }
}

// The name of each axis beside it, with an arrow to where it is large.
function nameAxes(pen, run, ranges, project) {
  pen.strokeStyle = themed("--stage");
  pen.lineJoin = "round";
  pen.fillStyle = themed("--soft");
  pen.font = "13px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  const corner = (bits) => ranges.map((range, j) => range[(bits >> j) & 1]);
  const [middle, center] = project(ranges.map(([from, to]) => (from + to) / 2));
  for (let j = 0; j < 3; j++) {
    // Of the four edges along an axis, the lowest of those on the outside.
    const edges = [0, 1, 2, 3].map((rest) => {
      const bits = ((rest >> j) << (j + 1)) | (rest & ((1 << j) - 1));
      const [from, to] = [project(corner(bits)), project(corner(bits | (1 << j)))];
      const at = [0, 1].map((axis) => (from[axis] + to[axis]) / 2);
      return { from, to, at, far: Math.hypot(at[0] - middle, at[1] - center) };
    });
    const outer = Math.max(...edges.map(({ far }) => far));
    const { from, to, at } = edges
      .filter(({ far }) => far > 0.9 * outer)
      .sort((one, other) => other.at[1] - one.at[1])[0];
    const way = Math.round((Math.atan2(from[1] - to[1], to[0] - from[0]) * 4) / Math.PI);
    const name = `${run.axes[j]} ${"→↗↑↖←↙↓↘"[(way + 8) % 8]}`;
    const [x, y] = [0, 1].map((axis) => at[axis] + 0.16 * (at[axis] - [middle, center][axis]));
    pen.lineWidth = 4;
    pen.strokeText(name, x, y);
    pen.fillText(name, x, y);
  }
}

// The frame of a plot: from values to places on the sheet, and back.
function frameOf(run, { width, height }) {
  const edge = 28;
  const [across, up] = rangesOf(run);
  const room = [width - 2 * edge, height - 2 * edge];
  const unit = Math.min(
    room[0] / (across[1] - across[0]),
    up ? room[1] / (up[1] - up[0]) : Infinity,
  );
  const left = (width - unit * (across[1] - across[0])) / 2;
  if (!up)
    return {
      project: ([x]) => [left + unit * (x - across[0]), height - edge],
      place: ([x]) => [across[0] + (x - left) / unit],
      edge,
    };
  const bottom = (height + unit * (up[1] - up[0])) / 2;
  return {
    project: ([x, y]) => [left + unit * (x - across[0]), bottom - unit * (y - up[0])],
    place: ([x, y]) => [across[0] + (x - left) / unit, up[0] + (bottom - y) / unit],
    edge,
  };
}

// Two features: the plane, with the cells of the centroids.
function drawPlane(run, view, sheet) {
  const { pen, width, height } = sheet;
  const { project, place } = frameOf(run, sheet);
  const paper = hexToRgb(themed("--paper"));
  if (view.labelCentroids) {
    const grain = 3;
    const spots = [];
    for (let y = 0; y < height; y += grain)
      for (let x = 0; x < width; x += grain)
        spots.push(...place([x + grain / 2, y + grain / 2]));
    const cells = assign(Float64Array.from(spots), view.labelCentroids).labels;
    const tints = view.colors.map((color, label) =>
      css(mix(color, paper, view.lit === null || view.lit === label ? 0.82 : 0.95).map(Math.round)),
    );
    const inRow = Math.ceil(width / grain);
    cells.forEach((label, i) => {
      pen.fillStyle = tints[label];
      pen.fillRect((i % inRow) * grain, Math.floor(i / inRow) * grain, grain, grain);
    });
  }
  drawn.dots = [];
  for (const { place: at, color, size, index } of dotsOf(run, view)) {
    const [x, y] = project(at);
    drawn.dots.push([x, y, index]);
    pen.fillStyle = css(color.map(Math.round));
    pen.beginPath();
    pen.arc(x, y, run.isImage ? size : Math.max(2.5, size), 0, 2 * Math.PI);
    pen.fill();
  }
  drawPointed(pen, run, view, project);
  drawTrails(pen, run, view, project);
}

// One feature: a bar for each value, as high as it is frequent.
function drawLine(run, view, sheet) {
  const { pen, height } = sheet;
  const { project, edge } = frameOf(run, sheet);
  const dots = dotsOf(run, view);
  const highest = dots.reduce((most, _, i) => Math.max(most, run.weights[i]), 0);
  const width = Math.max(1.5, Math.min(10, sheet.width / dots.length / 1.5));
  drawn.dots = [];
  dots.forEach(({ place, color }, i) => {
    const [x] = project(place);
    drawn.dots.push([x, null, i]);
    const size = ((height - 3 * edge) * run.weights[i]) / highest;
    pen.fillStyle = css(color.map(Math.round));
    pen.fillRect(x - width / 2, height - edge - 10 - size, width, size);
  });
  pen.strokeStyle = themed("--edge");
  pen.beginPath();
  pen.moveTo(0, height - edge);
  pen.lineTo(sheet.width, height - edge);
  pen.stroke();
  drawPointed(pen, run, view, project);
  drawTrails(pen, run, view, project);
}

// ---- The inertia curve ------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, parent, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

// Where a move is on the curve: [step, inertia], null before the first pass.
function placeOnCurve(run, move) {
  if (!move.step) return null;
  const { iteration, inertia } = move.step;
  if (move.kind === "assign") return [iteration, inertia];
  if (move.kind === "stop") return [run.inertias.length + 1, run.end.inertia];
  const left = inertiaAfterUpdate(move.step);
  return left === null ? [iteration, inertia] : [iteration + 0.5, left];
}

function drawCurve(run, move, goTo) {
  const svg = byId("curve");
  svg.replaceChildren();
  const width = svg.clientWidth || 400;
  const height = 116;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const values = [...run.inertias, run.end.inertia];
  // After every move that is known, [step, inertia].
  const known = values.map((value, i) => [i + 1, value]);
  for (const step of run.steps) {
    const after = inertiaAfterUpdate(step);
    if (after !== null) known.push([step.iteration + 0.5, after]);
  }
  known.sort(([one], [other]) => one - other);
  const most = Math.max(...values) || 1;
  const [left, right, top, bottom] = [10, width - 14, 18, height - 26];
  const x = (step) => left + ((right - left) * (step - 1)) / Math.max(1, values.length - 1);
  const y = (value) => bottom - ((bottom - top) * value) / most;
  shape("path", { d: `M${left} ${bottom}H${right}`, class: "axis" }, svg);
  shape("path", {
    d: known.map(([at, value], i) => `${i ? "L" : "M"}${x(at)} ${y(value)}`).join(""),
    class: "line",
  }, svg);
  shape("text", { x: left, y: height - 8, class: "tick" }, svg, "step 1");
  const last = { x: right, y: height - 8, class: "tick", "text-anchor": "end" };
  shape("text", last, svg, `end`);
  run.steps.forEach((step, index) => {
    const dot = shape("circle", {
      cx: x(step.iteration), cy: y(step.inertia), r: values.length > 40 ? 2 : 3.5,
      class: "dot",
    }, svg);
    shape("title", {}, dot, `step ${step.iteration}: inertia ${real(step.inertia)}`);
    dot.addEventListener("click", () => goTo(2 + 2 * index));
  });
  const here = placeOnCurve(run, move);
  if (!here) return;
  shape("circle", { cx: x(here[0]), cy: y(here[1]), r: 7, class: "here" }, svg);
  const near = x(here[0]) > width / 2;
  shape("text", {
    x: x(here[0]) + (near ? -2 : 12), y: Math.max(top - 4, y(here[1]) - 14),
    class: "you", "text-anchor": near ? "end" : "start",
  }, svg, "you are here");
}

// ---- The table of clusters --------------------------------------------------------

// The rows of a run; `light` is called with the cluster pointed at, or with null.
function buildTable(run, light) {
  const rows = run.start.map((_, label) => {
    const row = document.createElement("tr");
    row.dataset.cluster = label;
    row.tabIndex = 0;
    row.innerHTML =
      '<td class="name"><span class="swatch"></span></td>' +
      '<td class="share"></td><td class="moved"></td><td class="far"></td>';
    row.cells[0].append(String(label));
    for (const event of ["pointerenter", "focus", "click"])
      row.addEventListener(event, () => light(label));
    for (const event of ["pointerleave", "blur"])
      row.addEventListener(event, () => light(null));
    return row;
  });
  byId("clusters").tBodies[0].replaceChildren(...rows);
}

function fillTable(run, view) {
  const { move, places, colors, pixelDistances } = view;
  const nearest = pixelDistances && pixelDistances.indexOf(Math.min(...pixelDistances));
  const rows = byId("clusters").tBodies[0].rows;
  [...rows].forEach((row, label) => {
    const place = places[label];
    row.hidden = !place;
    if (!place) return;
    row.className = view.lit === label ? "lit" : "";
    const [name, share, moved, far] = row.cells;
    const swatch = name.firstElementChild;
    swatch.style.background = css(colors[label].map(Math.round));
    swatch.title = valuesOf(run, place).map((x) => real(x * run.unit)).join(", ");
    share.replaceChildren(...shareOf(run, move, label));
    moved.textContent = movedBy(move, label);
    far.textContent = pixelDistances ? real(pixelDistances[label]) : "";
    far.classList.toggle("wins", nearest === label);
  });
}

function shareOf(run, move, label) {
  if (!move.step) return [""];
  const counts = move.kind === "stop" ? run.end.counts : move.step.counts;
  const share = counts[label] / counts.reduce((sum, count) => sum + count, 0);
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.style.setProperty("--length", counts[label] / Math.max(...counts));
  const text = document.createElement("span");
  text.textContent = percent(share);
  text.title = `${whole(counts[label])} of ${whole(run.n)}`;
  return [bar, text];
}

function movedBy(move, label) {
  if (move.kind !== "update") return "";
  const { centroids, newCentroids, restarted } = move.step;
  if (restarted.includes(label)) return "restarted";
  return real(distanceBetween(centroids[label], newCentroids[label]));
}
