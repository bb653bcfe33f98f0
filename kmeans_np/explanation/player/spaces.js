"use strict";
// Color spaces: the formulas of kmeans_np/colors/spaces.py, for one color at a time.

const times = (matrix, color) =>
  matrix.map((row) => row[0] * color[0] + row[1] * color[1] + row[2] * color[2]);
const product = (one, other) =>
  one.map((row) => [0, 1, 2].map((j) => row.reduce((sum, x, i) => sum + x * other[i][j], 0)));

function inverse([[a, b, c], [d, e, f], [g, h, i]]) {
  const all = [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ];
  const size = a * all[0][0] + b * all[1][0] + c * all[2][0];
  return all.map((row) => row.map((x) => x / size));
}

const XYZ_FROM_RGB = [[0.412453, 0.35758, 0.180423], [0.212671, 0.71516, 0.072169], [0.019334, 0.119193, 0.950227]];
const RGB_FROM_XYZ = inverse(XYZ_FROM_RGB);
const WHITE = [0.95047, 1, 1.08883];
const LMS_FROM_RGB = product(
  [[0.8189330101, 0.3618667424, -0.1288597137], [0.0329845436, 0.9293118715, 0.0361456387], [0.0482003018, 0.2643662691, 0.633851707]],
  [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
);
const RGB_FROM_LMS = inverse(LMS_FROM_RGB);
const OKLAB_FROM_ROOTS = [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]];
const ROOTS_FROM_OKLAB = inverse(OKLAB_FROM_ROOTS);

const linearFromSrgb = (x) => (x > 0.04045 ? ((x + 0.055) / 1.055) ** 2.4 : x / 12.92);
const srgbFromLinear = (x) => (x > 0.0031308 ? 1.055 * x ** (1 / 2.4) - 0.055 : 12.92 * x);

function labFromRgb(rgb) {
  const [x, y, z] = times(XYZ_FROM_RGB, rgb.map(linearFromSrgb)).map((value, j) => {
    const share = value / WHITE[j];
    return share > 0.008856 ? Math.cbrt(share) : 7.787 * share + 16 / 116;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function rgbFromLab([light, a, b]) {
  const y = (light + 16) / 116;
  const xyz = [y + a / 500, y, y - b / 200].map((f, j) =>
    WHITE[j] * (f > Math.cbrt(0.008856) ? f ** 3 : (f - 16 / 116) / 7.787),
  );
  return times(RGB_FROM_XYZ, xyz).map(srgbFromLinear);
}

const oklabFromRgb = (rgb) =>
  times(OKLAB_FROM_ROOTS, times(LMS_FROM_RGB, rgb.map(linearFromSrgb)).map(Math.cbrt));
const rgbFromOklab = (oklab) =>
  times(RGB_FROM_LMS, times(ROOTS_FROM_OKLAB, oklab).map((x) => x ** 3)).map(srgbFromLinear);

// The ways from and to red, green and blue between 0 and 1.
const same = (color) => color;
const SPACES = {
  rgb: { name: "RGB", fromRgb: same, toRgb: same, code: "" },
  lab: { name: "CIELAB", fromRgb: labFromRgb, toRgb: rgbFromLab, code: "lab_from_rgb" },
  oklab: { name: "Oklab", fromRgb: oklabFromRgb, toRgb: rgbFromOklab, code: "oklab_from_rgb" },
};

// All of some points, which lie flat in an array, by a way of these.
function converted(points, way) {
  const all = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 3)
    all.set(way([points[i], points[i + 1], points[i + 2]]), i);
  return all;
}

// The same picture, compared in another space; without a start.
function inSpace(run, space) {
  if (run.space === space) return run;
  const way = (color) => SPACES[space].fromRgb(SPACES[run.space].toRgb(color));
  return {
    ...run, space, axes: space === "rgb" ? run.channels : ["L", "a", "b"],
    points: converted(run.points, way), dots: converted(run.dots, way),
  };
}

// Whether the numbers of a picture are colors that can be compared in other spaces.
const hasSpaces = ({ isImage, d, signed, unit, space, points }) =>
  isImage && d === 3 && !signed && (unit > 1 || space !== "rgb" || points.every((x) => x >= 0 && x <= 1));
