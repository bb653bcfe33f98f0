"use strict";
// A picture that the reader brings. It is read by the browser and never leaves the page.

// So many pixels are stepped fluently; a larger picture is reduced to that.
const MOST_PIXELS = 40000;
// A cloud has at most so many dots.
const MOST_DOTS = 4000;

// The pixels of a picture that the browser has decoded, four bytes each, few enough.
function pixelsOf(bitmap, name) {
  const { width, height } = bitmap;
  const share = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  const columns = Math.max(1, Math.round(width * share));
  const rows = Math.max(1, Math.round(height * share));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, columns, rows);
  return { name, width, height, rows, columns, data: pen.getImageData(0, 0, columns, rows).data };
}

// A reload of the page loses no picture: its pixels are kept in this tab of the browser,
// and go away with it. Not everywhere is there a place for them.
function keepPicture({ data, ...about }) {
  const letters = Array.from(data, (byte) => String.fromCharCode(byte)).join("");
  try {
    sessionStorage.setItem(location.pathname, JSON.stringify({ ...about, letters: btoa(letters) }));
  } catch {
    // Then a reload shows the first picture again.
  }
}

function forgetPicture() {
  try {
    sessionStorage.removeItem(location.pathname);
  } catch {
    // There was no place for it.
  }
}

function keptPicture() {
  try {
    const { letters, ...about } = JSON.parse(sessionStorage.getItem(location.pathname));
    const data = Uint8ClampedArray.from(atob(letters), (letter) => letter.charCodeAt(0));
    return runOfPixels({ ...about, data }, page.runs[0]);
  } catch {
    return null;
  }
}

// Pixels as a run without a start.
function runOfPixels({ name, width, height, rows, columns, data }, like) {
  const n = rows * columns;
  const pixelOf = [];
  for (let i = 0; i < n; i++) if (data[4 * i + 3] > 0) pixelOf.push(i);
  if (!pixelOf.length) throw new Error("It is transparent everywhere.");
  const pointOf = new Int32Array(n).fill(-1);
  const points = new Float64Array(pixelOf.length * 3);
  pixelOf.forEach((pixel, i) => {
    pointOf[pixel] = i;
    for (let j = 0; j < 3; j++) points[3 * i + j] = data[4 * pixel + j] / 255;
  });
  const raw = (pixel) => [0, 1, 2].map((j) => data[4 * pixel + j]);
  const reduced = rows < height || columns < width ? `, reduced to ${rows} × ${columns}` : "";
  const run = {
    isImage: true, shape: [height, width, 3], shown: [rows, columns, 3],
    full: [rows, columns], plane: null, n: pixelOf.length, all: n,
    axes: ["red", "green", "blue"], channels: ["red", "green", "blue"], space: "rgb", d: 3, unit: 255, signed: false, reduced: false,
    screen: { low: [0], width: [255], asItIs: true }, nPixels: n, pixelOf, pointOf, points,
    raw, ...dotsOfPoints(points), start: [], steps: [], inertias: [], meanVariance: 0,
    tol: 1e-4, maxIter: 100, id: OWN, title: name, intro: "", init: "given", k: 0,
    bests: [], separated: like.separated,
    about: `${name} · ${whole(height)} × ${whole(width)} pixels${reduced}`,
  };
  run.original = original(run);
  return run;
}

// The colors of points as dots: the mean of each cell of a grid that is fine enough.
function dotsOfPoints(points) {
  for (let levels = 256; ; levels /= 2) {
    const cells = new Map();
    for (let i = 0; i < points.length; i += 3) {
      let code = 0;
      for (let j = 0; j < 3; j++)
        code = code * levels + Math.min(levels - 1, Math.floor(points[i + j] * levels));
      const cell = cells.get(code) ?? [0, 0, 0, 0];
      for (let j = 0; j < 3; j++) cell[j] += points[i + j];
      cell[3] += 1;
      cells.set(code, cell);
      if (cells.size > MOST_DOTS) break;
    }
    if (cells.size > MOST_DOTS) continue;
    const all = [...cells.values()];
    return {
      dots: Float64Array.from(all.flatMap(([r, g, b, m]) => [r / m, g / m, b / m])),
      weights: Float64Array.from(all, (cell) => cell[3]),
      nDistinct: new Set(Array.from({ length: points.length / 3 }, (_, i) => points.subarray(3 * i, 3 * i + 3).join())).size,
    };
  }
}
