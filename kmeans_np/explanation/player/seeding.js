"use strict";
// Where the centroids start, if the page is asked to choose.

// Numbers from 0 to 1, the same for the same seed (mulberry32, T. Ettinger).
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// The numbers of points to start at, all different from each other and from `given`: at
// random, or by k-means++, each with a chance in proportion to its squared distance.
function chooseStart(run, k, init, seed, given) {
  const random = randomNumbers(seed);
  const n = run.pixelOf.length;
  const nearest = new Float64Array(n).fill(init === "random" ? 1 : Infinity);
  const chosen = [];
  const leaveOut = (point) => {
    for (let i = 0; i < n; i++) {
      const away = squaredDistance(run.points, i, point);
      if (init !== "random") nearest[i] = Math.min(nearest[i], away);
      else if (away === 0) nearest[i] = 0;
    }
  };
  given.forEach(leaveOut);
  while (given.length + chosen.length < k) {
    const chances = nearest[0] === Infinity ? new Float64Array(n).fill(1) : nearest;
    const total = chances.reduce((sum, chance) => sum + chance, 0);
    if (total === 0) break;
    let dart = random() * total;
    let i = 0;
    while (i < n - 1 && (dart -= chances[i]) >= 0) i++;
    while (chances[i] === 0) i--;
    chosen.push(i);
    leaveOut(Array.from(run.points.subarray(i * run.d, (i + 1) * run.d)));
  }
  return chosen;
}
