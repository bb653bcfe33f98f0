"use strict";
// Choosing k: how the inertia falls with the number of clusters.

const MOST_K = 10;
const STARTS_TRIED = 4;
// Which of the starts is best is seen from about so many of the points.
const SAMPLED = 10000;

// The run from the best of a few starts by k-means++ for each k, one after the other, as
// many k as there are different points. Where it yields null, the page may draw.
function* bestOfEachK(run, seed, { tol, maxIter }) {
  const every = Math.ceil(run.pixelOf.length / SAMPLED);
  const sample = everyOf(run, every);
  const runFrom = (points, start) => lloyd(points, start, { tol, maxIter }).end.inertia;
  for (let k = 1; k <= MOST_K; k++) {
    let best = null;
    for (let i = 0; i < STARTS_TRIED; i++) {
      let chosen = chooseStart(sample, k, "k-means++", seed + i, []).map((j) => j * every);
      // Of few colors, some may be missing from the sample.
      if (chosen.length < k) chosen = chooseStart(run, k, "k-means++", seed + i, []);
      if (chosen.length < k) return;
      const start = chosen.map((point) => pointOf(run, point));
      const inertia = runFrom(sample.points, start);
      if (!best || inertia < best.inertia) best = { k, chosen, start, inertia };
      yield null;
    }
    yield { ...best, inertia: runFrom(run.points, best.start) };
  }
}

// One in so many points of a run.
function everyOf({ points, pixelOf, d }, every) {
  const kept = pixelOf.filter((_, i) => i % every === 0);
  const some = new Float64Array(kept.length * d);
  for (let i = 0; i < kept.length; i++)
    some.set(points.subarray(i * every * d, (i * every + 1) * d), i * d);
  return { points: some, pixelOf: kept, d };
}

// Draw the curve of what is known so far; the buttons below it stand under its dots.
function drawElbow(found, k) {
  const svg = byId("elbow");
  svg.replaceChildren();
  const [width, height] = [svg.clientWidth || 400, 84];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const most = found.length && found[0].inertia ? found[0].inertia : 1;
  const x = (each) => (width * (each.k - 0.5)) / MOST_K;
  const y = (each) => height - 8 - ((height - 18) * each.inertia) / most;
  shape("path", { d: `M0 ${height - 8}H${width}`, class: "axis" }, svg);
  shape("path", {
    d: found.map((each, i) => `${i ? "L" : "M"}${x(each)} ${y(each)}`).join(""),
    class: "line",
  }, svg);
  for (const each of found)
    shape("circle", { cx: x(each), cy: y(each), r: each.k === k ? 6 : 3.5, class: each.k === k ? "here" : "dot" }, svg);
}

// A button for each k that is known, which shows the clusters of that k.
function fillElbow(found, k, show) {
  const row = byId("elbow-ks");
  if (row.childElementCount > found.length) row.replaceChildren();
  for (const each of found.slice(row.childElementCount)) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = String(each.k);
    const share = (100 * each.inertia) / (found[0].inertia || 1);
    button.title = `k = ${each.k}: inertia ${real(each.inertia)}, ${real(share)} % of that of one cluster`;
    button.setAttribute("aria-label", button.title);
    button.addEventListener("click", () => show(each));
    row.append(button);
  }
  for (const [i, button] of [...row.children].entries())
    button.setAttribute("aria-pressed", String(i + 1 === k));
  byId("elbow-text").textContent = row.children[k - 1]?.title ?? "From the best of 4 starts by k-means++. Press a k to see its clusters.";
  drawElbow(found, k);
}
