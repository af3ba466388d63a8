// A WebSocket class behind which a test plays the server, for what the real one seldom does.

/** Sockets that were opened, and a class for the client's option `websocket`. */
export class Odd {
  sockets = [];
  /** What a method is answered: `(data) => reply`; throw `{ code, message, temporary }` to refuse. */
  methods = { "state.get": () => ({ player: "ada", offset: 0, team: null, runs: [] }) };
  /** Fields of the own channel's subscription, by connection. */
  subs = () => ({});

  constructor() {
    const odd = this;
    this.websocket = class {
      onopen;
      onmessage;
      onclose;
      onerror;
      constructor() {
        odd.sockets.push(this);
        queueMicrotask(() => this.onopen?.());
      }
      send(text) {
        for (const line of text.split("\n")) odd.#command(this, JSON.parse(line));
      }
      close() {
        this.gone = true;
      }
      say(message) {
        queueMicrotask(() => !this.gone && this.onmessage?.({ data: JSON.stringify(message) }));
      }
      /** The server closes. */
      end(code, reason = "") {
        this.gone = true;
        this.onclose?.({ code, reason });
      }
    };
  }

  get socket() {
    return this.sockets.at(-1);
  }

  notice(offset, data) {
    this.socket.say({ push: { channel: "#ada", pub: { data, offset } } });
  }

  async #command(socket, { id, connect, rpc }) {
    if (connect) {
      const sub = { recoverable: true, positioned: true, epoch: "x", offset: 0, ...this.subs(this.sockets.length, connect) };
      return socket.say({ id, connect: { client: "c", version: "odd", subs: { "#ada": sub } } });
    }
    if (!rpc) return;
    try {
      const data = await this.methods[rpc.method](rpc.data);
      if (data !== undefined) socket.say({ id, rpc: { data } });
    } catch (error) {
      socket.say({ id, error });
    }
  }
}
