// Names on the base map: districts, squares, parks, streets along their lines, points of interest.
//
// Promise: the more important name is placed first and no name covers another or a reserved box (the quest's own
// labels). What is placed depends on the view alone, so names do not flicker while the map is dragged.

import { boxOf, distance, lengthOf, middleOf } from "./geo.js";

/** Kind of name: rank (low first), first zoom, size, style, colour key. */
const KINDS = {
  suburb: { rank: 0, zoom: 13, to: 15.6, size: 13, font: "600", colour: "district", spaced: true },
  station: { rank: 1, zoom: 14, size: 12, font: "600", colour: "transit", dot: true },
  square: { rank: 2, zoom: 15.6, size: 11.5, font: "", colour: "plaza" },
  park: { rank: 3, zoom: 15.2, size: 11.5, font: "italic", colour: "green" },
  major: { rank: 4, zoom: 14.3, size: 11.5, font: "500", colour: "street", street: true },
  street: { rank: 5, zoom: 15.5, size: 11, font: "", colour: "street", street: true },
  sight: { rank: 6, zoom: 15.6, size: 11, font: "", colour: "poi", dot: true },
  hotel: { rank: 8, zoom: 16.6, size: 10.5, font: "", colour: "hotel", dot: true },
  art: { rank: 7, zoom: 16.3, size: 10.5, font: "", colour: "poi", dot: true },
};
const POI = {
  suburb: "suburb", neighbourhood: "suburb", station: "station", hotel: "hotel", hostel: "hotel",
  artwork: "art", memorial: "art", monument: "sight", museum: "sight", attraction: "sight", gallery: "sight",
  library: "sight", theatre: "sight", place_of_worship: "sight",
};
const MAJOR = new Set(["primary", "secondary", "tertiary"]);
const STREETS = new Set([...MAJOR, "residential", "unclassified", "pedestrian", "service"]);
const FACE = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
/** A street's name again after this many pixels. */
const REPEAT_PX = 420;

/** @typedef {{kind: keyof typeof KINDS, name: string, at: [number, number], size: number, line?: [number, number][]}} Name */

export class Labels {
  /** @param {any[]} features */
  constructor(features) {
    /** @type {Name[]} */
    this.names = [];
    /** @type {Map<string, {kind: string, lines: [number, number][][]}>} */
    const streets = new Map();
    for (const { properties: { k, c, name }, geometry } of features) {
      if (!name) continue;
      if (k === "poi" && c in POI) this.names.push({ kind: POI[c], name, at: geometry.coordinates, size: 0 });
      if (k === "park" || k === "square") {
        const [west, south, east, north] = boxOf(geometry);
        this.names.push({ kind: k, name, at: middleOf(geometry), size: distance([west, south], [east, north]) });
      }
      if (k === "road" && STREETS.has(c)) {
        const street = streets.get(name) ?? { kind: "street", lines: [] };
        if (MAJOR.has(c)) street.kind = "major";
        street.lines.push(geometry.coordinates);
        streets.set(name, street);
      }
    }
    for (const [name, { kind, lines }] of streets) {
      for (const line of chained(lines)) {
        this.names.push({ kind: /** @type {any} */ (kind), name, at: line[0], size: lengthOf(line), line });
      }
    }
    this.names.sort((a, b) => KINDS[a.kind].rank - KINDS[b.kind].rank || b.size - a.size);
  }

  /**
   * @param {CanvasRenderingContext2D} ctx scaled to CSS pixels @param {import("./view.js").View} view
   * @param {import("./theme.js").Theme} colours @param {number[][]} reserved boxes x0, y0, x1, y1 to leave free
   */
  draw(ctx, view, colours, reserved) {
    const taken = [...reserved];
    /** @type {Map<string, [number, number][]>} */
    const repeats = new Map();
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.lineJoin = "round";
    for (const name of this.names) {
      const kind = KINDS[name.kind];
      if (view.zoom < kind.zoom || view.zoom > (kind.to ?? 99)) continue;
      ctx.font = `${kind.font} ${kind.size}px ${FACE}`.trim();
      ctx.fillStyle = colours[kind.colour];
      ctx.strokeStyle = colours.halo;
      ctx.lineWidth = 3;
      if (name.line) drawAlong(ctx, view, name, taken, repeats);
      else drawAt(ctx, view, name, kind, taken);
    }
  }
}

function drawAt(ctx, view, name, kind, taken) {
  const [x, y] = view.project(name.at);
  if (x < -80 || y < -30 || x > view.width + 80 || y > view.height + 30) return;
  const rows = wrapped(kind.spaced ? name.name.toUpperCase() : name.name);
  const wide = Math.max(...rows.map((row) => ctx.measureText(row).width));
  if (name.size && wide * view.metresPerPixel > name.size * 1.5) return;
  const lift = kind.dot ? 6 : -(rows.length * (kind.size + 1)) / 2;
  const box = [x - wide / 2 - 3, y + lift - (kind.dot ? 10 : 1), x + wide / 2 + 3, y + lift + rows.length * (kind.size + 1.5) + 2];
  if (taken.some((other) => overlap(box, other))) return;
  taken.push(box);
  if (kind.dot) {
    ctx.beginPath();
    ctx.arc(x, y, 2.6, 0, 2 * Math.PI);
    ctx.stroke();
    ctx.fill();
  }
  rows.forEach((row, i) => halo(ctx, row, x, y + lift + (i + 0.5) * (kind.size + 1)));
}

/** Writes a street's name where its line is straight enough and long enough. */
function drawAlong(ctx, view, name, taken, repeats) {
  const need = ctx.measureText(name.name).width + 8;
  if (name.size / view.metresPerPixel < need) return;
  const points = name.line.map((p) => view.project(p));
  const others = repeats.get(name.name) ?? [];
  let start = 0;
  for (let end = 1; end < points.length; end++) {
    if (turn(points, start, end) > 0.22) start = end - 1;
    const [a, b] = [points[start], points[end]];
    const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
    if (length < need) continue;
    const next = points[end + 1];
    if (next && turn(points, start, end + 1) <= 0.22 && length < need * 4) continue;
    for (const t of [0.5, 0.25, 0.75]) {
      const [x, y] = [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
      if (t !== 0.5 && length < need * 2) break;
      if (x < 0 || y < 0 || x > view.width || y > view.height) continue;
      if (others.some(([ox, oy]) => Math.hypot(ox - x, oy - y) < REPEAT_PX)) continue;
      let angle = Math.atan2(b[1] - a[1], b[0] - a[0]);
      if (Math.abs(angle) > Math.PI / 2) angle -= Math.sign(angle) * Math.PI;
      const boxes = slanted(x, y, angle, need, 13);
      if (boxes.some((box) => taken.some((other) => overlap(box, other)))) continue;
      taken.push(...boxes);
      others.push([x, y]);
      ctx.save();
      ctx.translate(x, y);
      ctx.rotate(angle);
      halo(ctx, name.name, 0, 0.5);
      ctx.restore();
    }
    start = end;
  }
  repeats.set(name.name, others);
}

function halo(ctx, text, x, y) {
  ctx.strokeText(text, x, y);
  ctx.fillText(text, x, y);
}

/** The greatest turn, in radians, of any piece against the straight way from `start` to `end`. */
function turn(points, start, end) {
  const whole = Math.atan2(points[end][1] - points[start][1], points[end][0] - points[start][0]);
  let most = 0;
  for (let i = start + 1; i <= end; i++) {
    const [dx, dy] = [points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]];
    if (Math.hypot(dx, dy) < 3) continue;
    const by = Math.abs(Math.atan2(dy, dx) - whole);
    most = Math.max(most, Math.min(by, 2 * Math.PI - by));
  }
  return most;
}

/** Square boxes that together cover a slanted text. */
function slanted(x, y, angle, length, height) {
  const many = Math.max(1, Math.ceil(length / height));
  return Array.from({ length: many }, (_, i) => {
    const d = ((i + 0.5) / many - 0.5) * length;
    const [cx, cy] = [x + Math.cos(angle) * d, y + Math.sin(angle) * d];
    return [cx - height / 2, cy - height / 2, cx + height / 2, cy + height / 2];
  });
}

const overlap = (a, b) => a[0] < b[2] && a[2] > b[0] && a[1] < b[3] && a[3] > b[1];

/** One row, or two that break near the middle. @param {string} name */
function wrapped(name) {
  if (name.length < 18 || !name.includes(" ")) return [name];
  const spaces = [...name].flatMap((c, i) => (c === " " ? [i] : []));
  const cut = spaces.reduce((a, b) => (Math.abs(b - name.length / 2) < Math.abs(a - name.length / 2) ? b : a));
  return [name.slice(0, cut), name.slice(cut + 1)];
}

/** Joins pieces of one street that meet end to end. @param {[number, number][][]} pieces */
function chained(pieces) {
  const rest = pieces.map((piece) => [...piece]);
  const same = (a, b) => a[0] === b[0] && a[1] === b[1];
  const done = [];
  while (rest.length > 0) {
    let line = rest.pop();
    for (let grown = true; grown;) {
      grown = false;
      for (let i = 0; i < rest.length; i++) {
        const piece = rest[i];
        if (same(line.at(-1), piece[0])) line = [...line, ...piece.slice(1)];
        else if (same(line.at(-1), piece.at(-1))) line = [...line, ...piece.slice(0, -1).reverse()];
        else if (same(line[0], piece.at(-1))) line = [...piece, ...line.slice(1)];
        else if (same(line[0], piece[0])) line = [...piece.slice(1).reverse(), ...line];
        else continue;
        rest.splice(i, 1);
        grown = true;
        break;
      }
    }
    done.push(line);
  }
  return done;
}

/** The largest of 1, 2, 5, 10, ... that is not above `metres`. @param {number} metres */
export function niceLength(metres) {
  const power = 10 ** Math.floor(Math.log10(metres));
  return [5, 2, 1].map((n) => n * power).find((n) => n <= metres) ?? power;
}
