// A player's session: a small client of the Centrifuge protocol (JSON form, version 2) over a WebSocket.
//
// Promise: it reconnects by itself with a jittered back-off, asks for the notices it has missed, and hands each notice
// over once and in order. `rpc` rejects with {code, message, temporary}; `act` repeats a temporary failure of the
// connection with the same command id, so that nothing is done twice. Close codes 3500-3999 and 4500-4999 are final.

const RPC_TIMEOUT_MS = 10_000;
const BACK_OFF_MS = [300, 15_000];

/** @typedef {{channel: string, epoch: string, offset: number} | null} Position where we are in our own stream */
/** @typedef {{code: number, message: string, temporary?: boolean}} Failure */

export class Session {
  #socket = /** @type {WebSocket | null} */ (null);
  #next = 1;
  /** @type {Map<number, {resolve: (value: any) => void, reject: (failure: Failure) => void, timer: any}>} */
  #waiting = new Map();
  #tries = 0;
  #closed = false;
  #watchdog = 0;
  /** Whether the server has taken our token on the present socket. */
  #ready = false;

  /**
   * @param {string} url ws://host/connect
   * @param {string} token
   * @param {Position} position of an earlier page, or null
   * @param {{state: (state: "connecting" | "live" | "waiting" | "over", why?: Failure) => void,
   *   notice: (notice: any, offset: number) => void, welcome: (recovered: boolean) => void}} on
   */
  constructor(url, token, position, on) {
    this.url = url;
    this.token = token;
    this.position = position;
    this.on = on;
  }

  connect() {
    if (this.#closed) return;
    this.#ready = false;
    this.on.state("connecting");
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.onopen = () => this.#hello(socket);
    socket.onmessage = (event) => this.#receive(String(event.data));
    socket.onclose = (event) => {
      if (this.#socket === socket) this.#lost(event.code, event.reason);
    };
  }

  /** Ends the session for good. */
  close() {
    this.#closed = true;
    this.#socket?.close(1000);
    this.#drop({ code: 0, message: "the session is closed" });
  }

  get live() {
    return this.#socket?.readyState === WebSocket.OPEN && this.#ready;
  }

  /** @param {string} method @param {object} data @returns {Promise<any>} */
  rpc(method, data) {
    if (!this.live) return Promise.reject({ code: 0, message: "not connected", temporary: true });
    return this.#ask({ rpc: { method, data } }).then((reply) => reply.rpc?.data);
  }

  /** A command with an id of its own; repeated while the connection fails. @param {string} method @param {object} data */
  async act(method, data) {
    const cmd = randomId();
    for (let tries = 0; ; tries++) {
      try {
        return await this.rpc(method, { ...data, cmd });
      } catch (failure) {
        if (tries >= 4 || ![0, 1003, 1004].includes(failure.code) || this.#closed) throw failure;
        await new Promise((done) => setTimeout(done, 400 * 2 ** tries));
      }
    }
  }

  #ask(command) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject({ code: 0, message: "no answer in time", temporary: true });
      }, RPC_TIMEOUT_MS);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ id, ...command }));
    });
  }

  async #hello(socket) {
    /** @type {any} */
    const connect = { token: this.token };
    if (this.position) {
      const { channel, epoch, offset } = this.position;
      connect.subs = { [channel]: { recover: true, epoch, offset } };
    }
    try {
      const reply = (await this.#ask({ connect })).connect;
      this.#tries = 0;
      this.#ready = true;
      this.#expectPings(reply.ping);
      const [channel, sub] = Object.entries(reply.subs ?? {}).find(([name]) => name.startsWith("#")) ?? [];
      const known = this.position !== null;
      if (sub && (this.position?.epoch !== sub.epoch || !sub.recovered)) {
        this.position = { channel, epoch: sub.epoch ?? "", offset: sub.recovered ? (this.position?.offset ?? 0) : (sub.offset ?? 0) };
      }
      for (const pub of sub?.publications ?? []) this.#publication(pub);
      if (this.position && sub) this.position.offset = Math.max(this.position.offset, sub.offset ?? 0);
      this.on.state("live");
      this.on.welcome(known && Boolean(sub?.recovered));
    } catch (failure) {
      if (this.#socket !== socket) return;
      if (failure.temporary || failure.code === 0) socket.close();
      else this.#over(failure);
    }
  }

  #receive(frame) {
    this.#expectPings(null);
    for (const line of frame.split("\n")) {
      if (line === "") continue;
      const message = JSON.parse(line);
      if (message.id) this.#answer(message);
      else if (message.push) this.#pushed(message.push);
      else this.#socket?.send("{}");
    }
  }

  #answer(message) {
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.error) waiting.reject(message.error);
    else waiting.resolve(message);
  }

  #pushed(push) {
    if (push.pub && push.channel?.startsWith("#")) {
      this.position ??= { channel: push.channel, epoch: "", offset: 0 };
      this.#publication(push.pub);
    }
    if (push.disconnect) this.#over({ code: push.disconnect.code, message: push.disconnect.reason ?? "disconnected" });
  }

  #publication(pub) {
    const offset = pub.offset ?? 0;
    if (offset !== 0 && this.position && offset <= this.position.offset) return;
    if (offset !== 0 && this.position) this.position.offset = offset;
    this.on.notice(pub.data, offset);
  }

  /** The server pings each `seconds`; silence for longer means that the line is dead. @param {number | null} seconds */
  #expectPings(seconds) {
    if (seconds != null) this.pingMs = seconds * 1000;
    clearTimeout(this.#watchdog);
    if (this.pingMs) this.#watchdog = setTimeout(() => this.#socket?.close(), this.pingMs + 10_000);
  }

  #drop(failure) {
    clearTimeout(this.#watchdog);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(failure);
    }
    this.#waiting.clear();
  }

  #lost(code, reason) {
    this.#drop({ code: 0, message: "the connection was lost", temporary: true });
    if (this.#closed) return;
    if ((code >= 3500 && code < 4000) || (code >= 4500 && code < 5000)) return this.#over({ code, message: reason });
    this.#tries += 1;
    this.on.state("waiting");
    const [least, most] = BACK_OFF_MS;
    const wait = Math.min(most, least * 2 ** Math.min(this.#tries, 8)) * (0.5 + Math.random() / 2);
    setTimeout(() => this.connect(), wait);
  }

  #over(failure) {
    if (this.#closed) return;
    this.close();
    this.on.state("over", failure);
  }
}

/** `randomUUID` is there on secure origins alone; this page may be opened over a plain LAN address. */
function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");
}
