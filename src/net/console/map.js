// The map on the page: two canvases (base map, and what lives on it), input by pointer, wheel and keys, and frames.
//
// Promise: the base is drawn only when the view settles; while the map moves it is shifted and scaled as a picture.
// Frames are drawn while something moves and not otherwise. Layers draw; this file knows nothing about quests.

import { Basemap } from "./basemap.js";
import { Labels, niceLength } from "./labels.js";
import { onThemeChange, theme } from "./theme.js";
import { View } from "./view.js";

/** Pixels of base map beyond each edge, so that a short drag shows no hole. */
const MARGIN = 180;
const SETTLE_MS = 110;
const FRAME_MS = 30;

/**
 * @typedef {object} Layer
 * @property {(ctx: CanvasRenderingContext2D, view: View, now: number) => boolean} draw true while it moves by itself
 * @property {(view: View) => number[][]} [reserved] boxes to keep free of names
 */

export class MapView {
  /** @param {HTMLElement} root positioned element with the canvases inside @param {Layer[]} layers */
  constructor(root, layers) {
    this.root = root;
    this.layers = layers;
    this.view = new View([24.9441, 60.1699], 15.8);
    this.basemap = new Basemap([]);
    this.labels = new Labels([]);
    /** @type {HTMLCanvasElement} */ this.base = root.querySelector("canvas.base");
    /** @type {HTMLCanvasElement} */ this.top = root.querySelector("canvas.top");
    this.scaleBar = root.querySelector(".scale");
    /** @type {View | null} */ this.drawn = null;
    /** Pixels at each edge that other things cover: top, right, bottom, left. */
    this.pad = [64, 40, 48, 40];
    /** @type {(point: [number, number], px: [number, number]) => void} */
    this.onclick = () => {};
    /** @type {(px: [number, number]) => boolean} */
    this.onhover = () => false;
    this.onmove = () => {};
    this.lastFrame = 0;
    this.#listen();
    new ResizeObserver(() => this.#resize()).observe(root);
    onThemeChange(() => this.redraw());
    this.#resize();
  }

  /** @param {any[]} features */
  setFeatures(features) {
    this.basemap = new Basemap(features);
    this.labels = new Labels(features);
    this.redraw();
  }

  /** Draws the base anew at the next frame. */
  redraw() {
    this.drawn = null;
    this.touch();
  }

  /** Asks for a frame. */
  touch() {
    this.frame ??= requestAnimationFrame((now) => this.#draw(now));
  }

  /** @param {import("./geo.js").Box | null} box @param {number} [most] zoom */
  fit(box, most) {
    if (box) this.#glide(this.view.fitted(box, this.pad, most));
  }

  /** @param {[number, number]} point Moves there unless it is in sight already. */
  reveal(point) {
    const [x, y] = this.view.project(point);
    const [top, right, bottom, left] = this.pad;
    if (x > left && y > top && x < this.view.width - right && y < this.view.height - bottom) return;
    const to = this.view.copy();
    to.pan(this.view.width / 2 + (left - right) / 2 - x, this.view.height / 2 + (top - bottom) / 2 - y);
    this.#glide(to);
  }

  /** @param {number} by */
  zoomBy(by) {
    const to = this.view.copy();
    to.zoomAt(by, to.width / 2, to.height / 2);
    this.#glide(to);
  }

  #glide(to) {
    const from = this.view.copy();
    const start = performance.now();
    const time = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1 : 320;
    this.gliding = (now) => {
      const t = Math.min(1, Math.max(0, (now - start) / time));
      const eased = 1 - (1 - t) ** 3;
      for (const key of /** @type {const} */ (["x", "y", "zoom"])) this.view[key] = from[key] + (to[key] - from[key]) * eased;
      if (t >= 1) this.gliding = null;
    };
    this.touch();
  }

  #resize() {
    const { clientWidth, clientHeight } = this.root;
    this.view.width = Math.max(1, clientWidth);
    this.view.height = Math.max(1, clientHeight);
    this.redraw();
  }

  #draw(now) {
    this.frame = undefined;
    if (this.gliding) this.gliding(now);
    const moving = this.#placeBase(now);
    const active = this.gliding || moving || this.changed;
    if (!active && now - this.lastFrame < FRAME_MS) return this.touch();
    this.changed = false;
    this.lastFrame = now;
    const ctx = fitted(this.top, this.view.width, this.view.height);
    ctx.clearRect(0, 0, this.view.width, this.view.height);
    let more = Boolean(this.gliding) || moving;
    for (const layer of this.layers) more = layer.draw(ctx, this.view, now) || more;
    this.#drawScale();
    if (more) this.touch();
  }

  /** Shifts the drawn base to the view, or draws it anew; true while a new drawing is due. */
  #placeBase(now) {
    const { view, drawn } = this;
    if (drawn) {
      const k = 2 ** (view.zoom - drawn.zoom);
      const dx = (drawn.x - view.x) * view.scale;
      const dy = (drawn.y - view.y) * view.scale;
      const still = k === 1 && dx === 0 && dy === 0;
      const near = k === 1 && Math.abs(dx) < MARGIN && Math.abs(dy) < MARGIN;
      this.base.style.transform = still ? "" : `translate(${dx}px, ${dy}px) scale(${k})`;
      if (still) return false;
      if (this.seen?.x !== view.x || this.seen?.y !== view.y || this.seen?.zoom !== view.zoom) {
        this.seen = view.copy();
        this.movedAt = now;
        this.onmove();
      }
      if (near && this.held) return true;
      const wait = near || k !== 1 ? SETTLE_MS : 0;
      if (now - (this.movedAt ?? 0) < wait && k < 4 && k > 0.25) return true;
    }
    this.#drawBase();
    return false;
  }

  #drawBase() {
    const wide = this.view.copy();
    wide.width += 2 * MARGIN;
    wide.height += 2 * MARGIN;
    const ctx = fitted(this.base, wide.width, wide.height);
    const colours = theme();
    this.basemap.draw(ctx, wide, colours, devicePixelRatio || 1);
    this.labels.draw(ctx, wide, colours, this.layers.flatMap((layer) => layer.reserved?.(wide) ?? []));
    Object.assign(this.base.style, { left: `${-MARGIN}px`, top: `${-MARGIN}px`, transform: "" });
    this.drawn = this.view.copy();
    this.changed = true;
  }

  #drawScale() {
    const length = niceLength(this.view.metresPerPixel * 110);
    const bar = /** @type {HTMLElement} */ (this.scaleBar);
    bar.style.width = `${Math.round(length / this.view.metresPerPixel)}px`;
    bar.textContent = length >= 1000 ? `${length / 1000} km` : `${length} m`;
  }

  #listen() {
    const { root } = this;
    /** @type {Map<number, [number, number]>} */
    const fingers = new Map();
    let travelled = 0;
    const at = (event) => {
      const box = root.getBoundingClientRect();
      return /** @type {[number, number]} */ ([event.clientX - box.left, event.clientY - box.top]);
    };
    this.top.addEventListener("pointerdown", (event) => {
      this.top.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, at(event));
      if (fingers.size === 1) travelled = 0;
      this.gliding = null;
      this.held = true;
    });
    this.top.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      const here = at(event);
      if (!before) {
        this.top.style.cursor = this.onhover(here) ? "pointer" : "";
        return;
      }
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      const [dx, dy] = [here[0] - before[0], here[1] - before[1]];
      travelled += Math.hypot(dx, dy);
      if (other) {
        const spread = (p) => Math.max(20, Math.hypot(p[0] - other[0], p[1] - other[1]));
        this.view.pan(dx / 2, dy / 2);
        this.view.zoomAt(Math.log2(spread(here) / spread(before)), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
      } else if (travelled > 4) this.view.pan(dx, dy);
      fingers.set(event.pointerId, here);
      this.changed = true;
      this.touch();
    });
    const up = (event) => {
      const known = fingers.delete(event.pointerId);
      this.held = fingers.size > 0;
      this.touch();
      if (!known || event.type !== "pointerup" || travelled > 4 || fingers.size > 0) return;
      const px = at(event);
      this.onclick(this.view.unproject(...px), px);
    };
    this.top.addEventListener("pointerup", up);
    this.top.addEventListener("pointercancel", up);
    this.top.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.gliding = null;
      const lines = event.deltaMode === 1 ? 30 : 1;
      this.view.zoomAt(Math.max(-0.6, Math.min(0.6, (-event.deltaY * lines) / 320)), ...at(event));
      this.changed = true;
      this.touch();
    }, { passive: false });
    this.top.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [90, 0], ArrowRight: [-90, 0], ArrowUp: [0, 90], ArrowDown: [0, -90] }[event.key];
      if (step) {
        const to = this.view.copy();
        to.pan(step[0], step[1]);
        this.#glide(to);
      } else if (event.key === "+" || event.key === "=") this.zoomBy(0.5);
      else if (event.key === "-") this.zoomBy(-0.5);
      else if (event.key === "Enter") this.onclick(this.view.centre, [this.view.width / 2, this.view.height / 2]);
      else return;
      event.preventDefault();
    });
  }
}

/** A context in CSS pixels on a canvas of the right size. @param {HTMLCanvasElement} canvas */
function fitted(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}
