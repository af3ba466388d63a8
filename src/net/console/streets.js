// Ways along streets: a graph of the base map's roads and an A* over it, for the avatar of "Be a player".
//
// Promise: `way` always answers: along streets where they lead there, else straight. It never moves a goal.

import { distance, nearestOnSegment } from "./geo.js";

const NOT_FOR_WALKERS = new Set(["construction", "elevator", "corridor", "motorway", "trunk"]);
/** Beyond this a street is not "here". */
const SNAP_M = 120;

/** @typedef {[number, number]} Point */

export class Streets {
  /** @param {any[]} features GeoJSON features of the base map */
  constructor(features) {
    /** @type {Point[]} */
    this.points = [];
    /** @type {{to: number, cost: number}[][]} */
    this.edges = [];
    /** @type {[number, number][]} */
    this.segments = [];
    const ids = new Map();
    const idOf = (point) => {
      const key = `${point[0]},${point[1]}`;
      let id = ids.get(key);
      if (id === undefined) {
        id = this.points.push(point) - 1;
        this.edges.push([]);
        ids.set(key, id);
      }
      return id;
    };
    for (const { properties, geometry } of features) {
      if (properties.k !== "road" || NOT_FOR_WALKERS.has(properties.c) || geometry.type !== "LineString") continue;
      for (let i = 1; i < geometry.coordinates.length; i++) {
        const [a, b] = [idOf(geometry.coordinates[i - 1]), idOf(geometry.coordinates[i])];
        if (a === b) continue;
        const cost = distance(this.points[a], this.points[b]);
        this.edges[a].push({ to: b, cost });
        this.edges[b].push({ to: a, cost });
        this.segments.push([a, b]);
      }
    }
    this.#keepLargest();
  }

  /** Forgets streets that hang together with nothing: platforms, stairs inside a block. */
  #keepLargest() {
    const group = new Int32Array(this.points.length).fill(-1);
    const sizes = [];
    for (let i = 0; i < group.length; i++) {
      if (group[i] !== -1) continue;
      const stack = [i];
      const id = sizes.push(0) - 1;
      group[i] = id;
      while (stack.length > 0) {
        sizes[id] += 1;
        for (const { to } of this.edges[stack.pop()]) {
          if (group[to] !== -1) continue;
          group[to] = id;
          stack.push(to);
        }
      }
    }
    const largest = sizes.indexOf(Math.max(...sizes));
    this.segments = this.segments.filter(([a]) => group[a] === largest);
  }

  /** The nearest place on a street. @param {Point} p @returns {{at: Point, d: number, ends: [number, number]} | null} */
  snap(p) {
    let best = null;
    for (const ends of this.segments) {
      const { d, at } = nearestOnSegment(p, this.points[ends[0]], this.points[ends[1]]);
      if (best === null || d < best.d) best = { at, d, ends };
    }
    return best;
  }

  /** Points to walk through, `to` last. @param {Point} from @param {Point} to @returns {Point[]} */
  way(from, to) {
    const [start, end] = [this.snap(from), this.snap(to)];
    const straight = distance(from, to);
    if (!start || !end || start.d > SNAP_M || end.d > SNAP_M || straight < 20) return [to];
    if (start.ends[0] === end.ends[0] && start.ends[1] === end.ends[1]) return [start.at, end.at, to];
    const path = this.#search(start, end);
    if (!path || path.length > straight * 4 + 200) return [to];
    return [start.at, ...path.nodes.map((node) => this.points[node]), end.at, to];
  }

  #search(start, end) {
    const goal = end.at;
    /** @type {Map<number, number>} */
    const cost = new Map();
    /** @type {Map<number, number>} */
    const before = new Map();
    const open = new Heap();
    for (const node of start.ends) {
      const c = distance(start.at, this.points[node]);
      cost.set(node, c);
      open.push(c + distance(this.points[node], goal), node);
    }
    const last = new Map(end.ends.map((node) => [node, distance(this.points[node], goal)]));
    const done = new Set();
    let best = { total: Infinity, node: -1 };
    while (open.size > 0) {
      const [least, node] = open.pop();
      if (least >= best.total) break;
      if (done.has(node)) continue;
      done.add(node);
      const here = cost.get(node);
      if (last.has(node) && here + last.get(node) < best.total) best = { total: here + last.get(node), node };
      for (const { to, cost: step } of this.edges[node]) {
        const there = here + step;
        if (there >= (cost.get(to) ?? Infinity)) continue;
        cost.set(to, there);
        before.set(to, node);
        open.push(there + distance(this.points[to], goal), to);
      }
    }
    if (best.node === -1) return null;
    const nodes = [best.node];
    while (before.has(nodes[0])) nodes.unshift(before.get(nodes[0]));
    return { nodes, length: best.total };
  }
}

/** A binary heap of (key, value), least key first. */
class Heap {
  /** @type {[number, number][]} */
  #items = [];

  get size() {
    return this.#items.length;
  }

  push(key, value) {
    const items = this.#items;
    let i = items.push([key, value]) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (items[up][0] <= items[i][0]) break;
      [items[up], items[i]] = [items[i], items[up]];
      i = up;
    }
  }

  pop() {
    const items = this.#items;
    const top = items[0];
    const end = items.pop();
    if (items.length > 0) {
      items[0] = end;
      for (let i = 0; ;) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) {
          if (child < items.length && items[child][0] < items[least][0]) least = child;
        }
        if (least === i) break;
        [items[least], items[i]] = [items[i], items[least]];
        i = least;
      }
    }
    return top;
  }
}
