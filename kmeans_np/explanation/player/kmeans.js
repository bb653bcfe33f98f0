"use strict";
// K-means in the browser, for the runs that a reader starts on the page: the algorithm
// of kmeans_np/lloyd.py, in the same order of operations. Points lie flat in a
// Float64Array, d numbers each.

function squaredDistance(points, i, centroid) {
  const d = centroid.length;
  let total = 0;
  for (let j = 0; j < d; j++) {
    const difference = points[i * d + j] - centroid[j];
    total += difference * difference;
  }
  return total;
}

// The nearest centroid of each point; of two at the same distance, the first.
function assign(points, centroids) {
  const n = points.length / centroids[0].length;
  const labels = new Uint16Array(n);
  const distances = new Float64Array(n).fill(Infinity);
  centroids.forEach((centroid, label) => {
    for (let i = 0; i < n; i++) {
      const distance = squaredDistance(points, i, centroid);
      if (distance < distances[i]) {
        distances[i] = distance;
        labels[i] = label;
      }
    }
  });
  return { labels, distances };
}

function addUp(points, labels, k, d) {
  const sums = Array.from({ length: k }, () => new Array(d).fill(0));
  const counts = new Array(k).fill(0);
  labels.forEach((label, i) => {
    counts[label] += 1;
    for (let j = 0; j < d; j++) sums[label][j] += points[i * d + j];
  });
  return { sums, counts };
}

// Sum over count; where the count is 0, the centroid stays where it was.
function means(sums, counts, centroids) {
  return centroids.map((centroid, label) =>
    counts[label] > 0
      ? sums[label].map((sum) => sum / counts[label])
      : centroid.slice(),
  );
}

// The points that are not on their centroid, the farthest first; equally far ones by
// their coordinates; copies as one.
function* farthest(points, labels, distances, d) {
  const at = (i) => Array.from(points.subarray(i * d, i * d + d));
  const left = Float64Array.from(distances);
  for (;;) {
    let reach = 0;
    for (const distance of left) if (distance > reach) reach = distance;
    if (reach === 0) return;
    let first = -1;
    left.forEach((distance, i) => {
      if (distance !== reach) return;
      if (first < 0 || before(at(i), at(first))) first = i;
    });
    const point = at(first);
    let weight = 0;
    left.forEach((distance, i) => {
      if (distance === reach && at(i).every((x, j) => x === point[j])) {
        left[i] = 0;
        weight += 1;
      }
    });
    yield { point, weight, label: labels[first] };
  }
}

function before(one, other) {
  const j = one.findIndex((x, place) => x !== other[place]);
  return j >= 0 && one[j] < other[j];
}

// Every empty cluster restarts at the point that is farthest from its centroid.
function restartEmpty(points, labels, distances, sums, counts) {
  const empty = [...counts.keys()].filter((label) => counts[label] === 0);
  const restarted = [];
  if (!empty.length) return restarted;
  for (const { point, weight, label } of farthest(
    points, labels, distances, sums[0].length,
  )) {
    if (weight >= counts[label]) continue; // The last points of a cluster stay.
    const into = empty[restarted.length];
    sums[label] = sums[label].map((sum, j) => sum - weight * point[j]);
    counts[label] -= weight;
    sums[into] = point.map((x) => weight * x);
    counts[into] = weight;
    restarted.push(into);
    if (restarted.length === empty.length) break;
  }
  return restarted;
}

function meanVariance(points, d) {
  const n = points.length / d;
  const mean = new Array(d).fill(0);
  points.forEach((x, i) => (mean[i % d] += x / n));
  let total = 0;
  for (let i = 0; i < n; i++) total += squaredDistance(points, i, mean);
  return total / n / d;
}

function stopReason(step, smallestShift, maxIter) {
  if (step.nChanged === 0) return "labels";
  if (!step.restarted.length && step.shift <= smallestShift) return "tol";
  return step.iteration === maxIter ? "max_iter" : null;
}

// All the steps of a run, and where it ended.
function lloyd(points, start, { tol, maxIter }) {
  const d = start[0].length;
  const variance = meanVariance(points, d);
  const steps = [];
  let centroids = start;
  let previous = null;
  for (let iteration = 1; iteration <= maxIter; iteration++) {
    // Every point joins its nearest centroid, ...
    const { labels, distances } = assign(points, centroids);
    const { sums, counts } = addUp(points, labels, centroids.length, d);
    const seen = counts.slice();
    // ... every centroid moves to the mean of its points.
    const restarted = restartEmpty(points, labels, distances, sums, counts);
    const moved = means(sums, counts, centroids);
    const step = {
      iteration,
      centroids,
      counts: seen,
      inertia: distances.reduce((sum, distance) => sum + distance, 0),
      newCentroids: moved,
      nChanged: previous
        ? labels.reduce((sum, label, i) => sum + (label !== previous[i]), 0)
        : labels.length,
      shift: moved.flat().reduce((sum, x, i) => {
        const difference = x - centroids[Math.floor(i / d)][i % d];
        return sum + difference * difference;
      }, 0),
      restarted,
    };
    step.stoppedBy = stopReason(step, tol * variance, maxIter);
    steps.push(step);
    [centroids, previous] = [moved, labels];
    if (step.stoppedBy) break;
  }
  const { labels, distances } = assign(points, centroids);
  return {
    start,
    steps,
    inertias: steps.map((step) => step.inertia),
    meanVariance: variance,
    tol,
    maxIter,
    end: {
      counts: addUp(points, labels, centroids.length, d).counts,
      inertia: distances.reduce((sum, distance) => sum + distance, 0),
    },
  };
}
