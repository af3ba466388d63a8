// The base map: parks, water, squares, buildings, roads and rails of one city, drawn from GeoJSON features with
// properties `k` (road, building, rail, park, square, water, poi), `c` (class) and `name`.
//
// Promise: features become Path2D objects once, grouped by style and by cell, so that a redraw strokes some tens of
// paths and skips cells out of sight. Without features it draws a metric grid: never a blank map.

import { fromWorld, metresPerPixel, shifted, toWorld } from "./geo.js";
import { niceLength } from "./labels.js";

/** Path coordinates are pixels at this zoom from the data's own origin: small numbers, for canvas keeps 32 bits. */
const PATH_ZOOM = 16;
const CELLS = 4;

/** Roads from the lowest to the uppermost: width in pixels at zoom 16, and which look. */
const ROADS = [
  { key: "foot", classes: ["footway", "path", "trail", "cycleway", "platform"], width: 1.5, look: "foot", from: 14.6 },
  { key: "steps", classes: ["steps"], width: 2.2, look: "steps", from: 15.4 },
  { key: "service", classes: ["service"], width: 3, look: "road", from: 14.2 },
  { key: "walk", classes: ["pedestrian"], width: 5, look: "road", from: 13.5 },
  { key: "street", classes: ["residential", "unclassified", "living_street"], width: 6, look: "road", from: 12.5 },
  { key: "tertiary", classes: ["tertiary", "tertiary_link"], width: 7, look: "road", from: 11 },
  { key: "secondary", classes: ["secondary", "secondary_link"], width: 7.5, look: "major", from: 11 },
  { key: "primary", classes: ["primary", "primary_link", "trunk", "motorway"], width: 8.5, look: "major", from: 11 },
];
const ROAD_OF = new Map(ROADS.flatMap((road) => road.classes.map((c) => [c, road.key])));

/** @typedef {{path: Path2D, box: [number, number, number, number]}} Chunk box in world coordinates */

export class Basemap {
  /** @param {any[]} features GeoJSON features; may be empty */
  constructor(features) {
    /** @type {Map<string, Chunk[]>} */
    this.layers = new Map();
    this.origin = [0.5, 0.5];
    const boxed = features.map((f) => ({ f, key: layerOf(f.properties ?? {}), box: worldBox(f.geometry) }))
      .filter((item) => item.key !== null && Number.isFinite(item.box[0]));
    this.empty = boxed.length === 0;
    if (this.empty) return;
    const all = boxed.map((item) => item.box).reduce(join);
    this.origin = [(all[0] + all[2]) / 2, (all[1] + all[3]) / 2];
    /** @type {Map<string, {key: string, path: Path2D, box: number[]}>} */
    const cells = new Map();
    for (const { f, key, box } of boxed) {
      const column = Math.floor((((box[0] + box[2]) / 2 - all[0]) / (all[2] - all[0] || 1)) * CELLS);
      const row = Math.floor((((box[1] + box[3]) / 2 - all[1]) / (all[3] - all[1] || 1)) * CELLS);
      const name = `${key} ${column} ${row}`;
      const cell = cells.get(name) ?? { key, path: new Path2D(), box };
      cells.set(name, cell);
      cell.box = join(cell.box, box);
      this.#add(cell.path, f.geometry);
    }
    for (const { key, path, box } of cells.values()) {
      const chunks = this.layers.get(key) ?? [];
      chunks.push({ path, box: /** @type {any} */ (box) });
      this.layers.set(key, chunks);
    }
  }

  #add(path, geometry) {
    const unit = 256 * 2 ** PATH_ZOOM;
    const closed = geometry.type.endsWith("Polygon");
    for (const line of parts(geometry)) {
      line.forEach((point, i) => {
        const [x, y] = toWorld(point);
        const [px, py] = [(x - this.origin[0]) * unit, (y - this.origin[1]) * unit];
        if (i === 0) path.moveTo(px, py);
        else path.lineTo(px, py);
      });
      if (closed) path.closePath();
    }
  }

  /**
   * Draws what the view shows; `ctx` is scaled to CSS pixels already.
   * @param {CanvasRenderingContext2D} ctx @param {import("./view.js").View} view
   * @param {import("./theme.js").Theme} colours @param {number} ratio device pixels a CSS pixel
   */
  draw(ctx, view, colours, ratio) {
    ctx.fillStyle = colours.land;
    ctx.fillRect(0, 0, view.width, view.height);
    if (this.empty) return drawGrid(ctx, view, colours);
    const zoom = view.zoom;
    const k = 2 ** (zoom - PATH_ZOOM);
    const half = [view.width / 2 / view.scale, view.height / 2 / view.scale];
    const window = [view.x - half[0], view.y - half[1], view.x + half[0], view.y + half[1]];
    const seen = (key) => (this.layers.get(key) ?? []).filter(({ box }) => (
      box[0] <= window[2] && box[2] >= window[0] && box[1] <= window[3] && box[3] >= window[1]));
    const px = (n) => n / k;
    const place = (dx = 0, dy = 0) => ctx.setTransform(ratio * k, 0, 0, ratio * k,
      ratio * ((this.origin[0] - view.x) * view.scale + view.width / 2 + dx),
      ratio * ((this.origin[1] - view.y) * view.scale + view.height / 2 + dy));
    const fill = (key, colour) => {
      ctx.fillStyle = colour;
      for (const chunk of seen(key)) ctx.fill(chunk.path, "evenodd");
    };
    const stroke = (key, colour, width, dash = []) => {
      ctx.strokeStyle = colour;
      ctx.lineWidth = px(width);
      ctx.setLineDash(dash.map(px));
      for (const chunk of seen(key)) ctx.stroke(chunk.path);
    };

    ctx.save();
    ctx.lineJoin = "round";
    ctx.lineCap = "round";
    place();
    fill("square", colours.square);
    fill("park", colours.park);
    if (zoom > 14) stroke("park", colours.parkEdge, 0.8);
    fill("water", colours.water);
    if (zoom >= 15.7) {
      const drop = Math.min(3, 0.7 * 2 ** (zoom - 16));
      place(drop, drop * 1.3);
      fill("building", colours.shadow);
      place();
    }
    fill("building", colours.building);
    if (zoom > 14) stroke("building", colours.buildingEdge, zoom > 16 ? 0.9 : 0.5);
    this.#roads(stroke, colours, zoom);
    ctx.lineCap = "butt";
    if (zoom > 15) stroke("tram", colours.rail, Math.min(1.6, 0.8 * 2 ** ((zoom - 16) / 2)));
    stroke("rail", colours.rail, zoom > 15 ? 2.4 : 1);
    if (zoom > 15) stroke("rail", colours.railGap, 1.2, [6, 6]);
    ctx.restore();
    ctx.setLineDash([]);
  }

  #roads(stroke, colours, zoom) {
    const shown = ROADS.filter((road) => zoom >= road.from);
    const width = (road) => Math.max(0.7, road.width * 2 ** ((zoom - 16) * 0.8));
    for (const road of shown) {
      if (road.look === "foot") stroke(road.key, colours.foot, Math.min(4, width(road)));
      else if (road.look === "steps") stroke(road.key, colours.steps, Math.min(6, width(road)), [1.4, 1.4]);
      else stroke(road.key, road.look === "major" ? colours.majorEdge : colours.roadEdge, width(road) + 1.6);
    }
    for (const road of shown) {
      if (road.look === "road") stroke(road.key, colours.road, width(road));
      if (road.look === "major") stroke(road.key, colours.major, width(road));
    }
  }
}

function layerOf({ k, c }) {
  if (k === "road") return ROAD_OF.get(c) ?? null;
  if (k === "rail") return c === "tram" ? "tram" : c === "subway" ? null : "rail";
  return ["building", "park", "square", "water"].includes(k) ? k : null;
}

function parts(geometry) {
  switch (geometry.type) {
    case "LineString": return [geometry.coordinates];
    case "Polygon": case "MultiLineString": return geometry.coordinates;
    case "MultiPolygon": return geometry.coordinates.flat();
    default: return [];
  }
}

function worldBox(geometry) {
  return parts(geometry).flat().map(toWorld).map(([x, y]) => [x, y, x, y])
    .reduce(join, [Infinity, Infinity, -Infinity, -Infinity]);
}

function join(a, b) {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}

/** Lines each 50 m, 100 m, ... so that about ten fit across: a place to stand when there are no streets. */
function drawGrid(ctx, view, colours) {
  const centre = fromWorld(view.x, view.y);
  const step = niceLength(metresPerPixel(centre[1], view.zoom) * 90);
  const anchor = [Math.round(centre[0] * 50) / 50, Math.round(centre[1] * 50) / 50];
  const [x0, y0] = view.project(anchor);
  const [x1, y1] = view.project(shifted(anchor, step, -step));
  const [dx, dy] = [x1 - x0, y1 - y0];
  ctx.lineWidth = 1;
  ctx.strokeStyle = colours.grid;
  ctx.beginPath();
  for (let x = ((x0 % dx) + dx) % dx; x < view.width; x += dx) {
    ctx.moveTo(Math.round(x) + 0.5, 0);
    ctx.lineTo(Math.round(x) + 0.5, view.height);
  }
  for (let y = ((y0 % dy) + dy) % dy; y < view.height; y += dy) {
    ctx.moveTo(0, Math.round(y) + 0.5);
    ctx.lineTo(view.width, Math.round(y) + 0.5);
  }
  ctx.stroke();
}
