// What the package offers; see README.md for how it is used.
//
// Promise: what is not named here is nobody's business and may change.

export { UnauthorizedError } from "centrifuge";
export { type ActOptions, type Events, Waystone, type WaystoneOptions } from "./client.js";
export { Closed, type CloseReason, OutOfTime, type RefusalName, Refused, TooMany, WaystoneError } from "./errors.js";
export type { Off } from "./events.js";
export type { DropReason, SyncStorage } from "./fixes.js";
export * from "./generated.js";
export type { Connection } from "./line.js";
export type { Live } from "./live.js";
export type { Resync } from "./notices.js";
export type { FixesReport } from "./sender.js";
export type * from "./wire.js";
