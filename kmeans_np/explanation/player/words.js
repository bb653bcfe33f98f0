"use strict";
// What is said about each move.

const whole = (x) => Math.round(x).toLocaleString("en-US");
// Four digits that count, three of very small numbers.
function real(x) {
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e12 || size < 1e-9) return x.toExponential(2);
  if (size >= 1000) return whole(x);
  if (size < 1e-4) return x.toFixed(2 - Math.floor(Math.log10(size))).replace(/0+$/, "");
  return String(Number(x.toPrecision(4)));
}
const percent = (share) => `${(100 * share).toFixed(1)}%`;
// Two numbers with as many digits as it takes to see that they differ.
function realTwo(one, other) {
  for (let digits = 4; digits < 15; digits++) {
    const both = [one, other].map((x) => Number(x.toPrecision(digits)));
    if (real(one) !== real(other)) return [real(one), real(other)];
    if (both[0] !== both[1] || one === other)
      return both.map((x) => x.toLocaleString("en-US", { maximumSignificantDigits: digits }));
  }
  return [real(one), real(other)];
}
const shapeOf = (shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
const several = (count, one, many = `${one}s`) =>
  `${whole(count)} ${count === 1 ? one : many}`;
const list = (items) =>
  items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;

const TITLES = {
  flatten: "Scale and flatten",
  choose: "Choose",
  assign: "Assign",
  update: "Update",
  stop: "Why it stopped",
};
// Formulas in HTML, and the line of Python of each move.
const FORMULAS = {
  flatten: "<i>p</i> = @pixel@ / @unit@",
  space: "<i>p</i> = @space@(@pixel@ / @unit@)",
  choose: "<i>c</i><sub>0</sub>, …, <i>c</i><sub>k−1</sub> &nbsp;with&nbsp; k = @k@",
  assign:
    "label(<i>p</i>) = argmin<sub><i>j</i></sub> ‖<i>p</i> − <i>c</i><sub><i>j</i></sub>‖²",
  update:
    "<i>c</i><sub><i>j</i></sub> = 1/<i>n</i><sub><i>j</i></sub> · Σ <i>p</i> &nbsp;over the <i>n</i><sub><i>j</i></sub> @points@ with label <i>j</i>",
  labels: "no label changed",
  tol: "Σ<sub><i>j</i></sub> ‖<i>c</i>′<sub><i>j</i></sub> − <i>c</i><sub><i>j</i></sub>‖² ≤ tol · mean variance",
  max_iter: "step = max_iter",
  callback: "callback(step)",
};
const CODE = {
  flatten: "points = image.reshape(-1, @d@) / @unit@",
  space: "points = @way@(image.reshape(-1, 3), @unit@)",
  points: "points = np.asarray(points)",
  choose: "centroids = random_points(points, k, weights, rng)",
  "k-means++": "centroids = plus_plus(points, k, weights, rng)",
  optimal: "centroids = OptimalClusters(points, weights)(k)",
  given: "centroids = np.array(centroids, dtype=np.float64)",
  assign: "return distances.argmin(axis=1), distances.min(axis=1)",
  update: "new[some] = sums[some] / counts[some, np.newaxis]",
  labels: "if step.n_changed == 0:",
  tol: "if not step.restarted and step.shift <= smallest_shift:",
  max_iter: 'return "max_iter" if step.iteration == max_iter else None',
  callback: "if callback(step):",
};

function fill(text, run) {
  const unit = run.unit === 1 ? "1" : whole(run.unit).replaceAll(",", "");
  return text
    .replaceAll("@unit@", unit)
    .replaceAll("@space@", SPACES[run.space].name)
    .replaceAll("@way@", SPACES[run.space].code)
    .replaceAll("@k@", run.start.length)
    .replaceAll("@d@", run.d)
    .replaceAll("@pixel@", run.d === 1 ? "gray" : run.d === 3 ? "(red, green, blue)" : "(channel 1, …)")
    .replaceAll("@points@", run.isImage ? "pixels" : "points");
}

function formulaOf(run, move) {
  let key = move.kind === "stop" ? move.step.stoppedBy : move.kind;
  if (key === "flatten" && run.space !== "rgb") key = "space";
  else if (key === "flatten" && run.unit === 1) return "";
  return fill(FORMULAS[key], run);
}

// Which of them stand so in lloyd.py.
const IN_LLOYD = ["given", "assign", "update", "labels", "tol", "max_iter"];

function codeOf(run, move) {
  let key = move.kind === "stop" ? move.step.stoppedBy : move.kind;
  if (key === "flatten" && !run.isImage) key = "points";
  else if (key === "flatten" && run.space !== "rgb") key = "space";
  if (key === "choose" && run.init !== "random") key = run.init;
  return {
    line: fill(CODE[key], run).replace(/ \/ 1$/, ""),
    file: IN_LLOYD.includes(key) ? "lloyd.py" : "",
  };
}

function sentenceOf(run, move) {
  const noun = run.isImage ? "pixels" : "points";
  if (move.kind === "flatten") return flattened(run);
  if (move.kind === "choose") {
    const k = run.start.length;
    const are = k === 1 ? "is the first centroid" : "are the first centroids";
    const those = run.isImage ? `The colors of ${several(k, "pixel")}` : several(k, "of the points", "of the points");
    const how = {
      random: `${those}, picked at random, ${are}`,
      "k-means++": `${those}, picked at random but far from each other, ${are}`,
      optimal: `The first ${k === 1 ? "centroid is the best possible one" : `${k} centroids are the best possible ones`}, found by dynamic programming`,
      given: `The first ${k === 1 ? "centroid is" : `${k} centroids are`} given`,
    }[run.init];
    const tried = run.nInit > 1 ? ` Of ${whole(run.nInit)} starts, this is the one that ends with the smallest inertia.` : "";
    return `${how}. From here on, nothing is left to chance.${tried}`;
  }
  const { step } = move;
  if (move.kind === "assign") return assigned(run, move, noun);
  if (move.kind === "update") return updated(step, noun);
  return stopped(run, step, noun);
}

function flattened(run) {
  if (!run.isImage)
    return `There are ${several(run.n, "point")} with ${several(run.d, "number")} each.`;
  const scaled =
    run.unit === 1
      ? "Its numbers stay as they are."
      : `Divided by ${whole(run.unit).replaceAll(",", "")}, every number lies between ${run.signed ? "−1" : "0"} and 1.`;
  const others =
    run.n < run.all ? ` ${whole(run.all - run.n)} pixels are masked or transparent: they are excluded.` : "";
  const pixel = run.d === 1 ? "one number" : `${run.d} numbers`;
  const compared =
    run.space === "rgb" ? "" : ` Its colors are compared in ${SPACES[run.space].name}, where distances are closer to perceived differences; its axes are lightness, green to red, and blue to yellow.`;
  return (
    `The picture is a tensor of shape ${shapeOf(run.shape)}. ${scaled} Flattened, it is ` +
    `${several(run.n, "point")} with ${pixel} each: K-means does not know where a pixel lies.${compared}${others}`
  );
}

function assigned(run, move, noun) {
  const { step } = move;
  if (step.iteration === 1) {
    const near = run.isImage ? ": the one most like it in color, wherever the pixel lies" : "";
    return `Each of the ${whole(run.n)} ${noun} joins the nearest centroid${near}. The squared distances add up to ${real(step.inertia)}: the inertia.`;
  }
  const changed = `${whole(step.nChanged)} of ${whole(run.n)} ${noun} changed cluster`;
  const before = run.steps[move.index - 1];
  const known = before.iteration === step.iteration - 1;
  const then = known ? inertiaAfterUpdate(before) : null;
  if (!step.nChanged || then === null)
    return `${changed}. The inertia is ${real(step.inertia)}.`;
  const [high, low] = realTwo(then, step.inertia);
  return `${changed}, each to a centroid that is nearer. That lowers the inertia from ${high} to ${low}.`;
}

function updated(step, noun) {
  const { restarted, counts, centroids, newCentroids } = step;
  // How far those moved that have points.
  const moves = centroids.map((centroid, label) =>
    counts[label] > 0 ? distanceBetween(centroid, newCentroids[label]) : 0,
  );
  const farthest = moves.indexOf(Math.max(...moves));
  const left = inertiaAfterUpdate(step);
  if (moves[farthest] === 0 && !restarted.length)
    return `Each centroid is already the mean of its ${noun}: none moved.${idle(step, noun)}`;
  const far = `Each centroid moves to the mean of its ${noun}, the place with the smallest sum of squared distances to them; centroid ${farthest} moved most: ${real(moves[farthest])}.`;
  const [high, low] = left === null ? [] : realTwo(step.inertia, left);
  const lower = left === null ? "" : ` That lowers the inertia from ${high} to ${low}.`;
  return far + lower + again(restarted, noun) + idle(step, noun);
}

function again(restarted, noun) {
  if (!restarted.length) return "";
  const names = list(restarted.map(String));
  return restarted.length === 1
    ? ` Cluster ${names} has no ${noun}: its centroid restarts at the ${noun.slice(0, -1)} that is farthest from the centroid it has joined.`
    : ` Clusters ${names} have no ${noun}: their centroids restart at the ${noun} that are farthest from the centroids they have joined.`;
}

function idle({ counts, restarted }, noun) {
  const empty = counts.filter((count, label) => count === 0 && !restarted.includes(label)).length;
  if (!empty) return "";
  return empty === 1
    ? ` One centroid has no ${noun} and stays where it is.`
    : ` ${empty} centroids have no ${noun} and stay where they are.`;
}

function stopped(run, step, noun) {
  const after = `after ${several(step.iteration, "step")}`;
  const bound = run.tol * run.meanVariance;
  const spread = run.isImage ? "how widely the colors are spread" : "how widely the points are spread";
  const limit = `${real(bound)}: tol, ${real(run.tol)}, times the mean variance, ${real(run.meanVariance)} (${spread})`;
  const moves = `the squares of their moves add up to ${real(step.shift)}`;
  const why = {
    labels: `no label changed: the means would not change either, and every further step would be the same. That does not mean that the answer is the best.`,
    tol: `${step.shift === 0 ? "no centroid moved" : "the centroids hardly moved"}: ${moves}. The limit is ${limit}.`,
    max_iter: `that is the largest number of steps allowed. The centroids still moved: ${moves}. The limit is ${limit}.`,
    callback: `the callback said so. The centroids still moved: ${moves}. The limit is ${limit}.`,
  }[step.stoppedBy];
  return `It stopped ${after}, because ${why} The inertia at the end is ${real(run.end.inertia)}.${besideTheBest(run)}`;
}

// For one feature the best is known: how much more this run has left.
function besideTheBest(run) {
  const best = run.bests[run.start.length - 1];
  if (!best) return "";
  const more = run.end.inertia / best - 1;
  if (more < 1e-9) return " No clusters have a smaller inertia.";
  if (more < 5e-4) return " The smallest possible inertia is less than 0.1% lower.";
  const [, low] = realTwo(run.end.inertia, best);
  return ` The smallest possible inertia is ${low}: this is ${(100 * more).toFixed(more < 0.1 ? 1 : 0)}% more.`;
}
