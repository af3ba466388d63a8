// The quest's places on the map: circles, polygons and corridors, coloured by their state for the chosen team.
//
// Promise: a `Layer` for map.js. A hidden place is dashed. Labels keep clear of each other; base-map names keep clear
// of them. States: idle (no team chosen), locked, open, done.

import { along, depth, isArea, lengthOf, lines, middleOf } from "./geo.js";
import { theme } from "./theme.js";

/** @typedef {{id: string, name: string, hidden: boolean, outline: import("./geo.js").Outline}} Place */

const FONT = "600 12.5px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
const SMALL = "11px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

export class Regions {
  constructor() {
    /** @type {Place[]} */
    this.places = [];
    /** @type {Map<string, "locked" | "open" | "done">} */
    this.states = new Map();
    /** @type {Map<string, number>} how many players are inside */
    this.inside = new Map();
    /** @type {string | null} */
    this.chosen = null;
    /** @type {Map<string, number>} id -> when it lit up, for a short glow */
    this.glows = new Map();
    /** Points that no name may cover. @type {() => [number, number][]} */
    this.avoid = () => [];
  }

  /** Lights a place up for a moment. @param {string} place */
  glow(place) {
    this.glows.set(place, performance.now());
  }

  /** @param {[number, number]} point @param {number} slack metres @returns {Place | null} the smallest place there */
  hit(point, slack) {
    const found = this.places.filter((place) => depth(point, place.outline) > -slack);
    return found.sort((a, b) => size(a.outline) - size(b.outline))[0] ?? null;
  }

  /** @param {import("./view.js").View} view */
  reserved(view) {
    return this.places.filter((place) => place.name).map((place) => {
      const [x, y] = view.project(labelSpot(place.outline));
      const half = place.name.length * 3.9 + 6;
      return [x - half, y - 11, x + half, y + 22];
    });
  }

  draw(ctx, view, now) {
    const colours = theme();
    let moving = false;
    for (const place of this.places) {
      const state = this.states.get(place.id) ?? "idle";
      const colour = colours[state];
      const chosen = this.chosen === place.id;
      const glow = 1 - (now - (this.glows.get(place.id) ?? -1e9)) / 1600;
      trace(ctx, view, place.outline);
      ctx.globalAlpha = (state === "locked" ? 0.12 : 0.2) + Math.max(0, glow) * 0.3;
      ctx.fillStyle = colour;
      ctx.fill("evenodd");
      ctx.globalAlpha = state === "locked" && !chosen ? 0.7 : 1;
      ctx.setLineDash(place.hidden ? [6, 5] : []);
      ctx.lineWidth = chosen ? 3.5 : state === "open" ? 2.8 : 2;
      ctx.strokeStyle = colour;
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.globalAlpha = 1;
      if (glow > 0) {
        moving = true;
        ctx.globalAlpha = glow * 0.7;
        ctx.lineWidth = 2 + (1 - glow) * 22;
        ctx.stroke();
        ctx.globalAlpha = 1;
      }
    }
    return moving;
  }

  /** The places' names, as a layer of their own above the players. @returns {import("./map.js").Layer} */
  get names() {
    return {
      draw: (ctx, view) => {
        const taken = this.avoid().map((p) => view.project(p)).map(([x, y]) => [x - 12, y - 12, x + 12, y + 12]);
        for (const place of this.places) this.#label(ctx, view, place, theme(), taken);
        return false;
      },
    };
  }

  #label(ctx, view, place, colours, taken) {
    const state = this.states.get(place.id) ?? "idle";
    const mark = { done: "✓ ", open: "", locked: "", idle: "" }[state];
    const inside = this.inside.get(place.id) ?? 0;
    ctx.font = FONT;
    const title = mark + place.name;
    const half = ctx.measureText(title).width / 2 + 3;
    const [x, middle] = view.project(labelSpot(place.outline));
    if (x < -half || middle < -30 || x > view.width + half || middle > view.height + 30) return;
    const low = inside > 0 ? 23 : 9;
    const y = [0, -22, 22, -38, 38].map((dy) => middle + dy).find((at) => (
      !taken.some((box) => x - half < box[2] && x + half > box[0] && at - 9 < box[3] && at + low > box[1])))
      ?? (view.zoom < 15 ? null : middle);
    if (y === null) return;
    taken.push([x - half, y - 9, x + half, y + low]);
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.lineJoin = "round";
    ctx.lineWidth = 4;
    ctx.strokeStyle = colours.labelHalo;
    ctx.fillStyle = colours.label;
    ctx.strokeText(title, x, y);
    ctx.fillText(title, x, y);
    if (inside === 0 || view.zoom < 15) return;
    ctx.font = SMALL;
    ctx.strokeText(`${inside} here`, x, y + 15);
    ctx.fillText(`${inside} here`, x, y + 15);
  }
}

/** Corridors are named a quarter of the way along, where they meet fewer other places. */
function labelSpot(outline) {
  return outline.type === "LineString" ? along(outline.coordinates, lengthOf(outline.coordinates) * 0.28) : middleOf(outline);
}

function size(outline) {
  return outline.type === "Point" ? (outline.radius ?? 1) : isArea(outline) ? 100 : 1000;
}

/** Makes the outline the context's current path. */
function trace(ctx, view, outline) {
  ctx.beginPath();
  if (outline.type === "Point") {
    const [x, y] = view.project(outline.coordinates);
    ctx.arc(x, y, Math.max(4, (outline.radius ?? 10) / view.metresPerPixel), 0, 2 * Math.PI);
    return;
  }
  const closed = isArea(outline);
  for (const line of lines(outline)) {
    const points = line.map((p) => view.project(p));
    if (!closed) corridor(ctx, points, Math.max(4, (outline.width ?? 10) / 2 / view.metresPerPixel));
    else {
      points.forEach(([x, y], i) => (i === 0 ? ctx.moveTo(x, y) : ctx.lineTo(x, y)));
      ctx.closePath();
    }
  }
}

/** The area within `half` pixels of a line: out on its left, round its end, back on its right, round its start. */
function corridor(ctx, points, half) {
  for (const [way, sign] of [[points, 1], [[...points].reverse(), 1]]) {
    for (let i = 1; i < way.length; i++) {
      const [a, b] = [way[i - 1], way[i]];
      const angle = Math.atan2(b[1] - a[1], b[0] - a[0]);
      const next = way[i + 1];
      const [nx, ny] = [Math.sin(angle) * half * sign, -Math.cos(angle) * half * sign];
      ctx.lineTo(a[0] + nx, a[1] + ny);
      if (!next) ctx.arc(b[0], b[1], half, angle - Math.PI / 2, angle + Math.PI / 2);
      else {
        const bend = Math.atan2(next[1] - b[1], next[0] - b[0]);
        const middle = (angle + bend) / 2;
        if (Math.abs(angle - bend) < 1) ctx.lineTo(b[0] + Math.sin(middle) * half, b[1] - Math.cos(middle) * half);
        else ctx.lineTo(b[0] + nx, b[1] + ny);
      }
    }
  }
  ctx.closePath();
}
