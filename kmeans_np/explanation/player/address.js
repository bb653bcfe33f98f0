"use strict";
// The address within the page names what is seen, so that others can go there:
//
//   #RUN/MOVE?show=false&k=8&seed=3&init=k-means++&space=oklab
//
// RUN is left out for the first one. Of the reader's own runs it holds the start, as in
// own:12,40;30,9 for two pixels (row, column), or ~0.2,0.5,0.1 for a color that is of no
// pixel; of points, their numbers. "mine" in place of "own" are pixels of a picture that
// the reader has opened.

const MINE = "mine";
const FIELDS = { k: "own-k", seed: "own-seed", init: "own-init", space: "own-space" };

function remember() {
  const { run, runs, moves, at, own } = page;
  if (page.awaited) return; // It is kept until its picture is there.
  let path = nameOf(moves[at]);
  if (own) path = addressOfStarts(own);
  else if (run.id === OWN) path = `${addressOfStarts(run.own)}/${path}`;
  else if (run !== runs[0]) path = `${run.id}/${path}`;
  const query = new URLSearchParams();
  if (page.mode !== "painted") query.set("show", page.mode);
  if (own || run.id === OWN)
    for (const [name, id] of Object.entries(FIELDS))
      // A run has as many clusters as starts.
      if (byId(id).value !== usual(name) && (own || name !== "k")) query.set(name, byId(id).value);
  const asked = String(query).replaceAll("%2B", "+");
  writeAddress(`#${path}${asked && `?${asked}`}`);
}

// What a field says if nobody has changed it.
function usual(name) {
  const [first] = page.runs;
  return { k: String(Math.min(MOST_OWN, first.start.length)), seed: "0", init: "random", space: first.space }[name];
}

function fillFields(query) {
  for (const [name, id] of Object.entries(FIELDS)) {
    byId(id).value = query.get(name) ?? usual(name);
    // What it cannot hold is nothing.
    if (!byId(id).value) byId(id).value = usual(name);
  }
}

function writeAddress(address) {
  // Where a page has no address of its own, as in a notebook, it cannot be written to.
  try {
    history.replaceState(null, "", address);
  } catch {
    page.address = address;
  }
}

function addressOfStarts(starts) {
  const sign = page.run.isImage ? "~" : "";
  const each = ({ row, column, point }) =>
    row === null ? `${sign}${point.join()}` : `${row},${column}`;
  return [page.base ? MINE : OWN, starts.map(each).join(";")].filter(Boolean).join(":");
}

function startsOfAddress(address) {
  const run = baseRun();
  const starts = (address.split(":")[1] ?? "").split(";").filter(Boolean).slice(0, MOST_OWN);
  return starts.flatMap((each) => {
    const placed = !run.isImage || each.startsWith("~");
    const numbers = each.replace("~", "").split(",").map(Number);
    if (numbers.length !== (placed ? run.d : 2) || !numbers.every(Number.isFinite)) return [];
    if (placed) return [{ row: null, column: null, point: numbers, how: "given" }];
    const [row, column] = numbers;
    const inside = row >= 0 && row < run.shown[0] && column >= 0 && column < run.shown[1];
    const i = inside ? run.pointOf[row * run.shown[1] + column] ?? -1 : -1;
    return i < 0 ? [] : [{ row, column, point: pointOf(run, i), how: "given" }];
  });
}

// The starts of an address, which may be what the fields choose.
function knownStarts(address) {
  const starts = startsOfAddress(address);
  if (!starts.length || starts.length !== wanted()) return starts;
  const chosen = chosenStarts([]);
  const same = ({ point }, i) => point.every((x, j) => x === chosen[i]?.point[j]);
  return starts.every(same) ? chosen : starts;
}

function goToAddress() {
  const [path, asked] = (location.hash.slice(1) || document.body.dataset.opens).split("?");
  // A plus is one, and no space.
  const query = new URLSearchParams((asked ?? "").replaceAll("+", "%2B"));
  chooseMode(Object.hasOwn(MODES, query.get("show")) ? query.get("show") : "painted");
  const parts = path.split("/");
  const tab = parts[0].split(":")[0];
  const isOwn = tab === OWN || tab === MINE;
  page.awaited = null;
  if (isOwn) {
    fillFields(query);
    if (!goToOwn(tab, parts)) return;
  }
  const alone = page.runs.find((each) => each.id === path);
  if (alone) return open(alone, firstMove(alone));
  const name = parts.pop();
  const run = isOwn ? page.mine : page.runs.find((each) => each.id === parts[0]) ?? page.runs[0];
  const moves = movesOf(run);
  let at = moves.findIndex((move) => nameOf(move) === name);
  const [, kind, number] = /^(assign|update)-(\d+)$/.exec(name) ?? [];
  // A step that is not kept: the next one that is.
  if (at < 0 && kind)
    at = moves.findIndex((move) => move.kind === kind && move.step.iteration >= number);
  open(run, Math.max(0, at));
}

// Open the reader's own start; return whether it was run, and a move is asked for.
function goToOwn(tab, parts) {
  useBase(tab === MINE ? page.base ?? keptPicture() : null);
  if (tab === MINE && !page.base) {
    page.awaited = parts[0];
    openOwn();
    byId("own-text").textContent = "This address belongs to another picture, which was not sent along. Open the same file here to go on, or use this picture.";
    return false;
  }
  // A run has as many clusters as starts.
  const n = startsOfAddress(parts[0]).length;
  if (parts.length > 1 && n) byId("own-k").value = n;
  openOwn(knownStarts(parts[0]));
  if (parts.length === 1 || !n) return false;
  runOwn();
  return true;
}
