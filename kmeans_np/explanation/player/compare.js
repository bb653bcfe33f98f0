"use strict";
// Two runs side by side, of all that the reader has tried on a picture.

const MOST_TRIED = 12;
// Inertias that differ less are called the same.
const ALIKE = 1e-3;
const SIDES = ["one", "other"];

// Add a run to those that can be chosen; it stands on the right, the last on the left.
function keepTried(run) {
  const { tried } = page;
  if (!tried.length && !page.base && !page.runs[0].reduced && !isWeighted(page.runs[0])) {
    const how = page.runs[0].init === "given" ? "given start" : page.runs[0].init;
    tried.push({ ...page.runs[0], how: `the first run, ${how}` });
  }
  tried.push(run);
  if (tried.length > MOST_TRIED) tried.shift();
  page.compared = [tried.at(-2) ?? run, run];
}

const endOf = (run) => ({ kind: "stop", step: run.steps.at(-1), index: run.steps.length - 1 });
const nameOfTried = (run) =>
  `${page.tried.indexOf(run) + 1}: k = ${run.start.length}${run.isImage && run.d === 3 ? `, ${SPACES[run.space].name}` : ""}, ${run.how}`;

function showCompared() {
  const { tried, compared } = page;
  const hidden = tried.length < 2 || page.run.id !== OWN;
  byId("compare").hidden = hidden;
  // On paper it is not shown.
  if (!byId("compare").clientWidth) return;
  SIDES.forEach((side, i) => {
    const choice = byId(`compare-${side}`);
    choice.replaceChildren(...tried.map((run) => new Option(nameOfTried(run), tried.indexOf(run), false, run === compared[i])));
    drawTried(compared[i], side);
  });
  byId("verdict").textContent = verdictOn(...compared);
}

// The end of a run: painted, with its palette and inertia.
function drawTried(run, side) {
  const move = endOf(run);
  const places = placesOf(run, move);
  const colors = clusterColors(run, places, page.mode);
  const view = {
    move, places, colors, mode: page.mode === "false" ? "false" : "painted", lit: null,
    labels: labelsFor(run, move), labelCentroids: labelCentroids(move), changed: null,
    pointed: null, near: null, spot: null, turn: page.turn, pixelDistances: null,
  };
  const canvas = byId(`compare-${side}-view`);
  const most = Math.min(320, heightLeft());
  const { dots } = drawn;
  if (run.isImage) drawPicture(run, view, canvas, most);
  else drawCloud(run, view, canvas, most);
  drawn.dots = dots;
  drawMarks(run, run.isImage ? startMarks(run) : [], byId(`compare-${side}-marks`), canvas);
  canvas.setAttribute("aria-label", `The end of run ${nameOfTried(run)}`);
  const total = run.end.counts.reduce((sum, count) => sum + count, 0);
  byId(`compare-${side}-palette`).style.maxWidth = canvas.style.width;
  byId(`compare-${side}-palette`).replaceChildren(
    ...colors.map((color, label) => {
      const part = document.createElement("span");
      part.style.background = css(color.map(Math.round));
      part.style.flexGrow = run.end.counts[label];
      part.style.color = isDark(color) ? "#fff" : "#1f2530";
      if (run.end.counts[label] > 0.06 * total) part.textContent = String(label);
      part.title = `cluster ${label}: ${percent(run.end.counts[label] / total)}`;
      return part;
    }),
  );
  byId(`compare-${side}-inertia`).textContent = `inertia ${real(run.end.inertia)} after ${several(run.inertias.length, "step")}`;
}

function verdictOn(one, other) {
  const [first, second] = [one, other].map((run) => `run ${page.tried.indexOf(run) + 1}`);
  if (one === other) return "This is one run twice: choose another one.";
  const [k, l] = [one.start.length, other.start.length];
  if (one.space !== other.space && k !== l)
    return "Two things differ, the number of clusters and the color space: so nobody can say which of them made the difference. Choose runs that differ in one thing.";
  if (one.space !== other.space) return verdictOnSpaces(one, other, first, second);
  const [low, high] = [one, other].map((run) => run.end.inertia).sort((a, b) => a - b);
  // What is left of rounding is nothing.
  const none = 1e-9 * one.meanVariance * one.d * one.pixelOf.length;
  if (high <= none)
    return "Both end without inertia: there are no more different colors than clusters.".replace("colors", one.isImage ? "colors" : "points");
  const less = 1 - low / high;
  const betterFirst = one.end.inertia <= other.end.inertia;
  const [better, worse] = betterFirst ? [first, second] : [second, first];
  if (k !== l) {
    const more = k > l ? first : second;
    const has = `${capital(more)} has more clusters, ${Math.max(k, l)} against ${Math.min(k, l)}`;
    if (better !== more && less >= ALIKE)
      return `${has}, and yet its inertia is ${percent(high / low - 1)} higher: it had a bad start.`;
    return `${has}, and its inertia is ${percent(less)} lower. That alone does not make it better: from a good start, each additional cluster lowers the inertia. How many are enough is seen in the pictures, and where the curve of all k bends.`;
  }
  if (less < ALIKE)
    return "Both end with about the same inertia: neither start was better. The same clusters may have other numbers.";
  const runs = betterFirst ? [one, other] : [other, one];
  return `${capital(better)} had the better start: it ends with an inertia that is ${percent(less)} lower. ${whyBetter(...runs, worse, better)}`;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

// Measured in both spaces, each run usually wins in its own.
function verdictOnSpaces(one, other, first, second) {
  const wins = [];
  const measures = [one.space, other.space].map((space) => {
    const [here, there] = [one, other].map((run) => measuredIn(run, space));
    wins.push(here < there);
    return `in ${SPACES[space].name} ${real(here)} and ${real(there)}`;
  });
  const both = wins[0] ? first : second;
  const who = wins[0] === wins[1]
    ? `${capital(both)} is nearer to the original by both measures: the other had a worse start.`
    : "Each is better by its own measure: compare the pictures with the original.";
  return `These inertias cannot be compared: distances in ${SPACES[one.space].name} and in ${SPACES[other.space].name} are different numbers. Measured in the same way, ${first} and ${second} have ${measures.join(", ")}. ${who}`;
}

// The inertia of the end of a run with all colors taken to another space.
function measuredIn(run, space) {
  const { points } = spaceOfBase(space);
  const labels = labelsFor(run, endOf(run));
  const centroids = placesOf(run, endOf(run)).map((place) => SPACES[space].fromRgb(SPACES[run.space].toRgb(place)));
  return labels.reduce((sum, label, i) => sum + squaredDistance(points, i, centroids[label]), 0);
}

// Which centroids share what the better run gives to one, and the other way round.
function whyBetter(better, worse, worseName, betterName) {
  const [good, bad] = [better, worse].map((run) => labelsFor(run, endOf(run)));
  const shared = severalWithin(bad, worse.start.length, good, better.start.length);
  const merged = severalWithin(good, better.start.length, bad, worse.start.length);
  const words = [];
  const noun = better.isImage ? "color" : "cluster";
  for (const [label, those] of shared)
    words.push(`${capital(worseName)} spends ${several(those.length, noun)}, ${list(those.map(String))}, where ${betterName} needs only one, ${label}.`);
  for (const [label, those] of merged)
    words.push(`${capital(worseName)} has only one ${noun}, ${label}, for what ${betterName} divides into ${those.length}, ${list(those.map(String))}.`);
  if (words.length) return words.join(" ");
  return "No centroid has to stand for two groups: only the borders between the clusters lie elsewhere.";
}

// For each cluster of some labels, which of others lie mostly within it, if several do.
function severalWithin(inner, nInner, outer, nOuter) {
  const common = Array.from({ length: nInner }, () => new Array(nOuter).fill(0));
  inner.forEach((label, i) => (common[label][outer[i]] += 1));
  const within = new Map();
  common.forEach((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    const most = row.indexOf(Math.max(...row));
    if (total && row[most] > total / 2) within.set(most, [...(within.get(most) ?? []), label]);
  });
  return [...within].filter(([, those]) => those.length > 1);
}

function listenToCompared() {
  SIDES.forEach((side, i) =>
    byId(`compare-${side}`).addEventListener("change", (event) => {
      page.compared[i] = page.tried[event.target.value];
      showCompared();
    }),
  );
}
