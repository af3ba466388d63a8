// The network between a phone and the server, as a TCP proxy that a test can spoil.
//
// `cut` ends what is open and lets nothing in. `freeze` is a tunnel, or a change of networks: what is open stays open
// for ever and nothing comes through, new connections too. `deafen` lets requests through and loses answers. `restore`
// lets new connections through; frozen ones stay dead, as behind a router that has forgotten them.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Network {
  #listener;
  #pairs = new Set();
  #mode = "open";
  /** Connections that were let in. */
  opened = 0;

  static async to(port) {
    const network = new Network();
    network.target = port;
    network.#listener = createServer((phone) => network.#accept(phone));
    network.#listener.listen(0, "127.0.0.1");
    await once(network.#listener, "listening");
    network.url = `ws://127.0.0.1:${network.#listener.address().port}/connect`;
    return network;
  }

  cut() {
    this.#mode = "cut";
    for (const { phone, server } of this.#pairs) {
      phone.destroy();
      server?.destroy();
    }
    this.#pairs.clear();
  }

  freeze() {
    this.#mode = "frozen";
    for (const pair of this.#pairs) pair.up = pair.down = false;
  }

  deafen() {
    this.#mode = "deaf";
    for (const pair of this.#pairs) pair.down = false;
  }

  restore() {
    this.#mode = "open";
  }

  close() {
    this.cut();
    this.#listener.close();
  }

  #accept(phone) {
    phone.on("error", () => {});
    if (this.#mode === "cut") return phone.destroy();
    const open = this.#mode === "open";
    const pair = { phone, server: null, up: open, down: open };
    this.#pairs.add(pair);
    if (!open) return;
    this.opened += 1;
    const server = (pair.server = connect(this.target, "127.0.0.1"));
    server.on("error", () => phone.destroy());
    phone.on("data", (bytes) => pair.up && server.write(bytes));
    server.on("data", (bytes) => pair.down && phone.write(bytes));
    phone.on("close", () => pair.up && server.destroy());
    server.on("close", () => pair.down && phone.destroy());
  }
}
