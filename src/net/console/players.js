// Players on the map: dots in their team's colour that glide from one known position to the next; the reader's own
// avatar with its way; accuracy circles where someone is chosen.
//
// Promise: a `Layer` for map.js. A dot that the server no longer sends is gone at once. Gliding never runs ahead of
// what the server said: it takes as long as the last two changes lay apart, at most a second and a half.

import { fromWorld, toWorld } from "./geo.js";
import { teamColour, theme } from "./theme.js";

/** @typedef {{id: string, team: string | null, lon: number, lat: number, acc: number}} Dot */
/** @typedef {Dot & {from: [number, number], to: [number, number], start: number, span: number, seen: number}} Moving
 *  `from` and `to` are world coordinates: no logarithm a dot and frame */

const MANY = 3000;

export class Players {
  constructor() {
    /** @type {Map<string, Moving>} */
    this.dots = new Map();
    /** @type {string | null} a chosen player */
    this.chosen = null;
    /** @type {string | null} a chosen team: others fade */
    this.team = null;
    /** @type {string | null} the reader's own player: drawn as the avatar */
    this.me = null;
    /** @type {{at: () => [number, number], way: () => [number, number][], acc: number} | null} */
    this.avatar = null;
  }

  /** @param {Dot[]} dots all live players */
  update(dots) {
    const now = performance.now();
    const stamp = this.stamp = (this.stamp ?? 0) + 1;
    for (const dot of dots) {
      const old = this.dots.get(dot.id);
      if (!old) {
        const at = toWorld([dot.lon, dot.lat]);
        this.dots.set(dot.id, { ...dot, from: at, to: at, start: now, span: 1000, seen: stamp });
        continue;
      }
      old.seen = stamp;
      old.team = dot.team;
      old.acc = dot.acc;
      if (old.lon === dot.lon && old.lat === dot.lat) continue;
      old.from = place(old, now);
      old.to = toWorld([dot.lon, dot.lat]);
      old.lon = dot.lon;
      old.lat = dot.lat;
      old.span = Math.max(150, Math.min(1500, now - old.start));
      old.start = now;
    }
    for (const [id, dot] of this.dots) if (dot.seen !== stamp) this.dots.delete(id);
  }

  /** Where a player is drawn now. @param {string} id @returns {[number, number] | null} */
  at(id) {
    if (id === this.me && this.avatar) return this.avatar.at();
    const dot = this.dots.get(id);
    return dot ? fromWorld(...place(dot, performance.now())) : null;
  }

  /** @param {[number, number]} px @param {import("./view.js").View} view @returns {string | null} */
  hit([x, y], view) {
    const now = performance.now();
    let best = null;
    let nearest = 12;
    for (const dot of this.dots.values()) {
      const [dx, dy] = view.fromWorld(place(dot, now));
      const d = Math.hypot(dx - x, dy - y);
      if (d < nearest) [best, nearest] = [dot.id, d];
    }
    return best;
  }

  draw(ctx, view, now) {
    const colours = theme();
    let moving = false;
    const small = this.dots.size > MANY;
    const radius = (small ? 3 : 5) * Math.max(0.5, Math.min(1.2, 1 + (view.zoom - 16) * 0.12));
    /** @type {Map<string, [number, number][]>} */
    const groups = new Map();
    for (const dot of this.dots.values()) {
      if (dot.id === this.me && this.avatar) continue;
      if (now - dot.start < dot.span) moving = true;
      const [x, y] = view.fromWorld(place(dot, now));
      if (x < -10 || y < -10 || x > view.width + 10 || y > view.height + 10) continue;
      if (dot.id === this.chosen) this.#accuracy(ctx, view, [x, y], dot.acc, teamColour(dot.team));
      const faded = this.team !== null && dot.team !== this.team;
      const key = `${faded ? 0 : 1}${teamColour(dot.team)}`;
      const group = groups.get(key);
      if (group) group.push([x, y]);
      else groups.set(key, [[x, y]]);
    }
    for (const [key, points] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const faded = key[0] === "0";
      const r = this.team !== null && !faded ? radius * 1.25 : radius;
      ctx.globalAlpha = faded ? 0.3 : 1;
      ctx.beginPath();
      for (const [x, y] of points) {
        ctx.moveTo(x + r, y);
        ctx.arc(x, y, r, 0, 2 * Math.PI);
      }
      ctx.fillStyle = key.slice(1);
      ctx.strokeStyle = colours.dotEdge;
      ctx.lineWidth = 2.5;
      if (!small) ctx.stroke();
      ctx.fill();
    }
    ctx.globalAlpha = 1;
    if (this.avatar) moving = this.#me(ctx, view, now, colours) || moving;
    return moving;
  }

  #accuracy(ctx, view, [x, y], metres, colour) {
    ctx.beginPath();
    ctx.arc(x, y, Math.max(9, metres / view.metresPerPixel), 0, 2 * Math.PI);
    ctx.fillStyle = colour;
    ctx.globalAlpha = 0.16;
    ctx.fill();
    ctx.globalAlpha = 0.9;
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5;
    ctx.stroke();
    ctx.globalAlpha = 1;
  }

  #me(ctx, view, now, colours) {
    const at = this.avatar.at();
    const way = [at, ...this.avatar.way()].map((p) => view.project(p));
    const [x, y] = way[0];
    if (way.length > 1) {
      ctx.beginPath();
      way.forEach(([px, py], i) => (i === 0 ? ctx.moveTo(px, py) : ctx.lineTo(px, py)));
      ctx.strokeStyle = colours.me;
      ctx.lineCap = "round";
      ctx.lineWidth = 3;
      ctx.setLineDash([1, 7]);
      ctx.stroke();
      ctx.setLineDash([]);
      const [gx, gy] = way.at(-1);
      ctx.beginPath();
      ctx.arc(gx, gy, 5, 0, 2 * Math.PI);
      ctx.lineWidth = 2;
      ctx.stroke();
    }
    this.#accuracy(ctx, view, [x, y], this.avatar.acc, colours.me);
    const pulse = (now % 1800) / 1800;
    ctx.beginPath();
    ctx.arc(x, y, 9 + pulse * 12, 0, 2 * Math.PI);
    ctx.globalAlpha = (1 - pulse) * 0.5;
    ctx.strokeStyle = colours.me;
    ctx.lineWidth = 2;
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.beginPath();
    ctx.arc(x, y, 8.5, 0, 2 * Math.PI);
    ctx.fillStyle = colours.me;
    ctx.strokeStyle = "#ffffff";
    ctx.lineWidth = 3;
    ctx.stroke();
    ctx.fill();
    ctx.beginPath();
    ctx.arc(x, y, 3, 0, 2 * Math.PI);
    ctx.fillStyle = "#ffffff";
    ctx.fill();
    return true;
  }
}

/** @param {Moving} dot @param {number} now @returns {[number, number]} */
function place(dot, now) {
  const t = Math.max(0, Math.min(1, (now - dot.start) / dot.span));
  return [dot.from[0] + (dot.to[0] - dot.from[0]) * t, dot.from[1] + (dot.to[1] - dot.from[1]) * t];
}
