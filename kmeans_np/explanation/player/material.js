"use strict";
// What came with the page: packed numbers, made points and pictures again.

const KINDS = {
  u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i1: Int8Array, i2: Int16Array,
  i4: Int32Array, f4: Float32Array, f8: Float64Array,
};

// {kind, data}: base64 of deflated little-endian numbers; whole ones as differences.
async function unpack({ kind, data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream();
  const inflated = stream.pipeThrough(new DecompressionStream("deflate"));
  const values = new KINDS[kind](await new Response(inflated).arrayBuffer());
  // Typed arrays wrap around as the differences did.
  if (kind[0] !== "f") for (let i = 1; i < values.length; i++) values[i] += values[i - 1];
  return values;
}

// Make a run as it stands in the page ready to be shown.
async function prepare(run) {
  const d = run.axes.length;
  const planes = await unpack(run.values);
  const n = planes.length / d;
  const part = run.part && (await unpack(run.part));
  const pixelOf = [];
  for (let i = 0; i < n; i++) if (!part || part[i]) pixelOf.push(i);
  const pointOf = new Int32Array(n).fill(-1);
  pixelOf.forEach((pixel, i) => (pointOf[pixel] = i));
  let points = new Float64Array(pixelOf.length * d);
  pixelOf.forEach((pixel, i) => {
    for (let j = 0; j < d; j++) points[i * d + j] = planes[j * n + pixel] / run.unit;
  });
  if (run.space !== "rgb") points = converted(points, SPACES[run.space].fromRgb);
  const raw = (pixel) =>
    Array.from({ length: d }, (_, j) => planes[j * n + pixel]);
  const dots = await unpack(run.dots);
  const weights = await unpack(run.dotWeights);
  const channels = run.space === "rgb" ? run.axes : ["red", "green", "blue"];
  const ready = { ...run, d, channels, nPixels: n, pixelOf, pointOf, points, raw, dots, weights };
  ready.original = original(ready);
  return ready;
}

// As NumPy rounds: halves to even numbers.
function rint(x) {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 ? up - 1 : up;
}

// The color of a point, in bytes.
const rgbOf = (run, point) => (run.isImage ? shownAs(run, valuesOf(run, point)) : null);

// The values of a point, in a picture between 0 and 1.
const valuesOf = (run, point) =>
  run.space === "rgb" ? point : SPACES[run.space].toRgb(point).map((x) => Math.min(1, Math.max(0, x)));

// The color of values between 0 and 1, as kmeans_np/pictures.py shows them.
function shownAs(run, values) {
  const { low, width, asItIs } = run.screen;
  const share = values.map((value, j) => {
    if (asItIs) return Math.min(255, Math.max(0, rint(value * run.unit)));
    const level = (value * run.unit - low[j % low.length]) / width[j % width.length];
    return 255 * Math.min(1, Math.max(0, level));
  });
  if (share.length === 3) return share.map(rint);
  const mean = rint(share.reduce((sum, x) => sum + x, 0) / share.length);
  return [mean, mean, mean];
}

// The picture as it is, three bytes a pixel.
function original(run) {
  if (!run.isImage) return null;
  const picture = new Uint8ClampedArray(run.nPixels * 3);
  for (let i = 0; i < run.nPixels; i++) {
    picture.set(shownAs(run, run.raw(i).map((x) => x / run.unit)), i * 3);
  }
  return picture;
}

// The moves of a run: two for each step that is kept, and what is before and after.
function movesOf(run) {
  const moves = [{ kind: "flatten" }, { kind: "choose" }];
  run.steps.forEach((step, index) => {
    moves.push({ kind: "assign", index, step }, { kind: "update", index, step });
  });
  moves.push({ kind: "stop", step: run.steps.at(-1), index: run.steps.length - 1 });
  return moves;
}

function nameOf(move) {
  return "step" in move && move.kind !== "stop"
    ? `${move.kind}-${move.step.iteration}`
    : move.kind;
}

// The centroids that the labels of a move belong to, null before there are labels.
function labelCentroids(move) {
  if (!move.step) return null;
  return move.kind === "stop" ? move.step.newCentroids : move.step.centroids;
}

// Where the centroids are in a move, of which the share `t` has passed.
function placesOf(run, move, t = 1) {
  if (move.kind === "flatten") return [];
  if (move.kind === "choose") return run.start;
  if (move.kind !== "update" || t >= 1)
    return move.kind === "assign" ? move.step.centroids : move.step.newCentroids;
  return move.step.centroids.map((centroid, label) =>
    centroid.map((x, j) => x + t * (move.step.newCentroids[label][j] - x)),
  );
}

const distanceBetween = (one, other) =>
  Math.sqrt(one.reduce((sum, x, j) => sum + (x - other[j]) ** 2, 0));

// The inertia after the update alone, while the labels stay: for each cluster, the
// squared move of its centroid times its count less. Null if a cluster restarted.
function inertiaAfterUpdate(step) {
  if (step.restarted.length) return null;
  return step.centroids.reduce(
    (left, centroid, label) =>
      left -
      step.counts[label] * distanceBetween(centroid, step.newCentroids[label]) ** 2,
    step.inertia,
  );
}
