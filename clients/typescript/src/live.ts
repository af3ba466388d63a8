// Live channels: the present of a team or a board, at most once a second, and nothing to rely on.
//
// Promise: `latest` is the newest that came; a channel comes back with the connection, until it is closed or the server
// ends it, which is told with its reason.

import type { Subscription } from "centrifuge";
import { type SdkError, Refused } from "./errors.js";
import { Emitter, type Off } from "./events.js";

interface LiveEvents<Content> {
  content: Content;
  ended: Refused;
}

/** A live channel. */
export class Live<Content> {
  /** The newest content; `null` before the first. */
  latest: Content | null = null;
  readonly #events = new Emitter<LiveEvents<Content>>();
  readonly #subscription: Subscription;
  readonly #forget: () => void;

  /** Made by `Waystone.team` and `Waystone.board`. */
  constructor(subscription: Subscription, forget: () => void) {
    this.#subscription = subscription;
    this.#forget = forget;
    subscription.on("subscribed", ({ data }) => this.#take(data));
    subscription.on("publication", ({ data }) => this.#take(data));
    subscription.on("unsubscribed", ({ code, reason }) => this.#ended({ code, message: reason }));
    subscription.subscribe();
  }

  /** `content`: there is something new. `ended`: the server has ended it, for instance since you left the team. */
  on<Name extends keyof LiveEvents<Content>>(name: Name, listener: (told: LiveEvents<Content>[Name]) => void): Off {
    return this.#events.on(name, listener);
  }

  /** Ends it from this side. */
  close(): void {
    this.#forget();
    this.#subscription.unsubscribe();
  }

  #take(content: Content | undefined): void {
    if (content === undefined) return;
    this.latest = content;
    this.#events.emit("content", content);
  }

  /** Code 0: we have closed it ourselves. */
  #ended({ code, message }: SdkError): void {
    this.#forget();
    if (code !== 0) this.#events.emit("ended", new Refused(code, message, false));
  }
}
