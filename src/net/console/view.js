// What part of the world the map shows: centre, zoom and size in CSS pixels, and the way between screen and world.
//
// Promise: pure arithmetic; it draws nothing and keeps the zoom within bounds.

import { WORLD, fromWorld, metresPerPixel, toWorld } from "./geo.js";

export const ZOOM_MIN = 11;
export const ZOOM_MAX = 20;

export class View {
  /** @param {[number, number]} centre lon, lat @param {number} zoom */
  constructor(centre, zoom) {
    [this.x, this.y] = toWorld(centre);
    this.zoom = zoom;
    this.width = 1;
    this.height = 1;
  }

  /** Pixels round the world. */
  get scale() {
    return WORLD * 2 ** this.zoom;
  }

  /** @returns {[number, number]} lon, lat */
  get centre() {
    return fromWorld(this.x, this.y);
  }

  get metresPerPixel() {
    return metresPerPixel(this.centre[1], this.zoom);
  }

  copy() {
    return Object.assign(Object.create(View.prototype), this);
  }

  /** Screen pixels of a point. @param {[number, number]} point @returns {[number, number]} */
  project(point) {
    return this.fromWorld(toWorld(point));
  }

  /** Screen pixels of world coordinates. @param {[number, number]} world @returns {[number, number]} */
  fromWorld([x, y]) {
    const scale = this.scale;
    return [(x - this.x) * scale + this.width / 2, (y - this.y) * scale + this.height / 2];
  }

  /** The point under a pixel. @param {number} px @param {number} py @returns {[number, number]} */
  unproject(px, py) {
    return fromWorld(this.x + (px - this.width / 2) / this.scale, this.y + (py - this.height / 2) / this.scale);
  }

  /** Moves the picture by pixels. @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y = Math.max(0, Math.min(1, this.y - dy / this.scale));
  }

  /** Zooms and keeps the world under the pixel where it is. @param {number} by @param {number} px @param {number} py */
  zoomAt(by, px, py) {
    const [dx, dy] = [px - this.width / 2, py - this.height / 2];
    const before = this.scale;
    this.zoom = Math.max(ZOOM_MIN, Math.min(ZOOM_MAX, this.zoom + by));
    this.x += dx / before - dx / this.scale;
    this.y += dy / before - dy / this.scale;
  }

  /**
   * A view that shows the box within the padding.
   * @param {import("./geo.js").Box} box @param {number[]} pad top, right, bottom, left
   * @param {number} [most] zoom */
  fitted(box, pad, most = 18) {
    const [x0, y1] = toWorld([box[0], box[1]]);
    const [x1, y0] = toWorld([box[2], box[3]]);
    const wide = Math.max(60, this.width - pad[1] - pad[3]) / Math.max(1e-9, x1 - x0);
    const high = Math.max(60, this.height - pad[0] - pad[2]) / Math.max(1e-9, y1 - y0);
    const view = this.copy();
    view.zoom = Math.max(ZOOM_MIN, Math.min(most, Math.log2(Math.min(wide, high) / WORLD)));
    view.x = (x0 + x1) / 2 + (pad[1] - pad[3]) / 2 / view.scale;
    view.y = (y0 + y1) / 2 + (pad[2] - pad[0]) / 2 / view.scale;
    return view;
  }
}
