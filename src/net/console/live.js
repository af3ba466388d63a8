// The server's live stream (Server-Sent Events) and the rates made from its counters.
//
// Promise: it reconnects for ever, also where the browser would give up, and says when it is live and when not. Rates
// come from differences of counters over a few seconds; a counter that falls (the node was restarted) starts anew.

const EVENTS = ["overview", "happening", "dots", "teams"];
const QUIET_MS = 15_000;

export class Live {
  /**
   * @param {string} url
   * @param {{state: (state: "connecting" | "live" | "lost") => void} & Record<string, (data: any) => void>} on
   */
  constructor(url, on) {
    this.url = url;
    this.on = on;
    this.tries = 0;
    setInterval(() => {
      if (this.heard && performance.now() - this.heard > QUIET_MS) this.#again();
    }, 5000);
    this.#open();
  }

  #open() {
    this.heard = performance.now();
    this.on.state("connecting");
    const source = this.source = new EventSource(this.url);
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        this.heard = performance.now();
        this.tries = 0;
        this.on.state("live");
        this.on[name]?.(JSON.parse(event.data));
      });
    }
    source.onerror = () => this.#again();
  }

  #again() {
    this.source.close();
    this.heard = 0;
    this.tries += 1;
    this.on.state("lost");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#open(), Math.min(10_000, 400 * 2 ** this.tries) * (0.5 + Math.random() / 2));
  }
}

/** Rates over the last few seconds, and one value a second for a chart. */
export class Rates {
  /** @type {{at: number, fixes: number, entries: number}[]} */
  #samples = [];
  /** @type {number[]} fixes per second, newest last */
  history = [];
  #second = 0;

  /** @param {{fixes: number, entries: number}} counts @returns {{fixes: number, entries: number}} a second */
  add({ fixes, entries }) {
    const at = performance.now();
    const last = this.#samples.at(-1);
    if (last && (fixes < last.fixes || entries < last.entries)) this.#samples = [];
    this.#samples.push({ at, fixes, entries });
    while (this.#samples.length > 2 && at - this.#samples[0].at > 3000) this.#samples.shift();
    const first = this.#samples[0];
    const span = (at - first.at) / 1000;
    const rate = span < 0.5 ? { fixes: NaN, entries: NaN }
      : { fixes: (fixes - first.fixes) / span, entries: (entries - first.entries) / span };
    if (Number.isFinite(rate.fixes) && Math.floor(at / 1000) !== this.#second) {
      this.#second = Math.floor(at / 1000);
      this.history = [...this.history, rate.fixes].slice(-90);
    }
    return rate;
  }
}
