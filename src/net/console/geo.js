// Plane geometry for a map of a city: Web Mercator, distances, and how far a point is from the edge of a place.
//
// Promise: pure functions of their arguments. Lengths are metres, angles are degrees, points are [lon, lat].
// Distances use a flat frame at the point's latitude: good to a decimetre within a few kilometres, which is enough
// to show; what counts is decided by the server.

/** @typedef {[number, number]} LonLat */
/** @typedef {{type: string, coordinates: any, radius?: number, width?: number}} Outline GeoJSON geometry of a place */
/** @typedef {[number, number, number, number]} Box west, south, east, north */

export const METRES_PER_DEGREE = 111_320;
/** Pixels round the world at zoom 0. */
export const WORLD = 256;
const RAD = Math.PI / 180;

/** World coordinates 0..1 of a point. @param {LonLat} p @returns {[number, number]} */
export function toWorld([lon, lat]) {
  const s = Math.sin(Math.max(-85, Math.min(85, lat)) * RAD);
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI)];
}

/** The reverse of toWorld. @param {number} x @param {number} y @returns {LonLat} */
export function fromWorld(x, y) {
  return [(x - 0.5) * 360, Math.atan(Math.sinh((0.5 - y) * 2 * Math.PI)) / RAD];
}

/** @param {number} lat @param {number} zoom */
export function metresPerPixel(lat, zoom) {
  return (METRES_PER_DEGREE * 360 * Math.cos(lat * RAD)) / (WORLD * 2 ** zoom);
}

/** Metres east and north from `from` to `to`. @param {LonLat} from @param {LonLat} to @returns {[number, number]} */
export function offset(from, to) {
  const k = METRES_PER_DEGREE * Math.cos(from[1] * RAD);
  return [(to[0] - from[0]) * k, (to[1] - from[1]) * METRES_PER_DEGREE];
}

/** The point that lies `east` and `north` metres from `from`. @param {LonLat} from @returns {LonLat} */
export function shifted(from, east, north) {
  return [from[0] + east / (METRES_PER_DEGREE * Math.cos(from[1] * RAD)), from[1] + north / METRES_PER_DEGREE];
}

/** @param {LonLat} a @param {LonLat} b */
export function distance(a, b) {
  return Math.hypot(...offset(a, b));
}

/** Degrees clockwise from north. @param {LonLat} a @param {LonLat} b */
export function bearing(a, b) {
  const [east, north] = offset(a, b);
  return (Math.atan2(east, north) / RAD + 360) % 360;
}

/** Rings of a polygon or multipolygon; lines of a line; [] for a point. @param {Outline} o @returns {LonLat[][]} */
export function lines(o) {
  if (o.type === "Polygon" || o.type === "MultiLineString") return o.coordinates;
  if (o.type === "MultiPolygon") return o.coordinates.flat();
  if (o.type === "LineString") return [o.coordinates];
  return [];
}

/** Whether an outline encloses an area by rings. @param {Outline} o */
export const isArea = (o) => o.type === "Polygon" || o.type === "MultiPolygon";

/** Distance to a segment, in metres, with the nearest point. @returns {{d: number, at: LonLat, t: number}} */
export function nearestOnSegment(p, a, b) {
  const [ax, ay] = offset(p, a);
  const [bx, by] = offset(p, b);
  const [dx, dy] = [bx - ax, by - ay];
  const square = dx * dx + dy * dy;
  const t = square === 0 ? 0 : Math.max(0, Math.min(1, -(ax * dx + ay * dy) / square));
  const at = /** @type {LonLat} */ ([a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t]);
  return { d: Math.hypot(ax + dx * t, ay + dy * t), at, t };
}

/** Even-odd over all rings. @param {LonLat} p @param {LonLat[][]} rings */
export function insideRings([x, y], rings) {
  let inside = false;
  for (const ring of rings) {
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [xi, yi] = ring[i];
      const [xj, yj] = ring[j];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
  }
  return inside;
}

/** Metres from `p` to the outline's edge; inside is positive. @param {LonLat} p @param {Outline} o */
export function depth(p, o) {
  if (o.type === "Point") return (o.radius ?? 0) - distance(p, o.coordinates);
  let nearest = Infinity;
  const all = lines(o);
  const closed = isArea(o);
  for (const line of all) {
    for (let i = 1; i < line.length; i++) nearest = Math.min(nearest, nearestOnSegment(p, line[i - 1], line[i]).d);
    if (closed && line.length > 2) nearest = Math.min(nearest, nearestOnSegment(p, line.at(-1), line[0]).d);
  }
  if (!closed) return (o.width ?? 0) / 2 - nearest;
  return insideRings(p, all) ? nearest : -nearest;
}

/** A box round the outline, its radius or width included. @param {Outline} o @returns {Box} */
export function boxOf(o) {
  const points = o.type === "Point" ? [o.coordinates] : lines(o).flat();
  /** @type {Box} */
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  }
  const grow = o.radius ?? (o.width ?? 0) / 2;
  const [west, south] = shifted([box[0], box[1]], -grow, -grow);
  const [east, north] = shifted([box[2], box[3]], grow, grow);
  return [west, south, east, north];
}

/** The smallest box round boxes; null for none. @param {Box[]} boxes @returns {Box | null} */
export function union(boxes) {
  if (boxes.length === 0) return null;
  return boxes.reduce((a, b) => [
    Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3]),
  ]);
}

/** Where to put a label, and where to send someone: inside the place. @param {Outline} o @returns {LonLat} */
export function middleOf(o) {
  if (o.type === "Point") return o.coordinates;
  const line = lines(o)[0] ?? [[0, 0]];
  if (!isArea(o)) return along(line, lengthOf(line) / 2);
  const [west, south, east, north] = boxOf(o);
  /** @type {LonLat} */
  const middle = [(west + east) / 2, (south + north) / 2];
  return insideRings(middle, lines(o)) ? middle : line[0];
}

/** @param {LonLat[]} line */
export function lengthOf(line) {
  let sum = 0;
  for (let i = 1; i < line.length; i++) sum += distance(line[i - 1], line[i]);
  return sum;
}

/** The point `metres` along a line. @param {LonLat[]} line @param {number} metres @returns {LonLat} */
export function along(line, metres) {
  for (let i = 1; i < line.length; i++) {
    const part = distance(line[i - 1], line[i]);
    if (metres <= part && part > 0) {
      const t = metres / part;
      const [a, b] = [line[i - 1], line[i]];
      return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
    }
    metres -= part;
  }
  return line.at(-1);
}
