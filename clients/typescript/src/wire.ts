// What an app says and hears, in the words of the schema: generated.ts has the types, this file ties them to calls.
//
// A fix is written by hand, since this client numbers fixes itself and takes what browsers say. Promise: the tests hold
// these against a running server.

import type {
  BoardLive, MapLive, Notice, QuestData, Replies, RunView, StateView, StepData, TeamData, TeamLive, TeamView, Timestamp,
} from "./generated.js";

export type { BoardLive, MapLive, TeamLive };

/** Where a phone is, as its location service says it; `null` where it says nothing, as browsers do. */
export interface Fix {
  /** Degrees north, WGS84. */
  lat: number;
  /** Degrees east. */
  lon: number;
  /** Metres around it that hold the true place with 68 %; 25 if missing. */
  acc?: number | null;
  /** The device's time; now if missing. */
  t?: Timestamp | null;
  /** Metres a second; negative means unknown. */
  speed?: number | null;
  /** Degrees from north; negative means unknown. */
  heading?: number | null;
  /** Metres above the ellipsoid. */
  alt?: number | null;
  /** The phone says that another app made this up. */
  mock?: boolean;
}

/** A notice of one type. */
export type NoticeOf<Type extends Notice["type"]> = Extract<Notice, { type: Type }>;

/** All that a player may know now: the reply of `state.get`. */
export type State = StateView;
/** A run of a quest as its player sees it. */
export type Run = RunView;
/** A team as its members see it. */
export type Team = TeamView;

/** Fields of the schema's `Data` that this method must have. */
type Must<Data, Field extends keyof Data> = { [F in Field]-?: NonNullable<Data[F]> };
/** Fields of the schema's `Data` that this method may have. */
type May<Data, Field extends keyof Data> = { [F in Field]?: NonNullable<Data[F]> };
type OnStep<Field extends keyof StepData> = Must<StepData, "quest" | "step" | Field>;

/** The commands: what each takes, less its `cmd`, and what it is answered. */
export interface Commands {
  "quest.start": { data: Must<QuestData, "quest">; reply: Replies["quest.start"] };
  "quest.leave": { data: Must<QuestData, "quest">; reply: Replies["quest.leave"] };
  "quest.answer": { data: OnStep<"text">; reply: Replies["quest.answer"] };
  "quest.scan": { data: OnStep<"code">; reply: Replies["quest.scan"] };
  "quest.choose": { data: OnStep<"option">; reply: Replies["quest.choose"] };
  "quest.photo": { data: OnStep<"photo">; reply: Replies["quest.photo"] };
  "quest.hint": { data: OnStep<"hint">; reply: Replies["quest.hint"] };
  "team.create": { data: Must<TeamData, "name">; reply: Replies["team.create"] };
  "team.join": { data: Must<TeamData, "code">; reply: Replies["team.join"] };
  "team.leave": { data: Record<string, never>; reply: Replies["team.leave"] };
  "team.say": { data: Must<TeamData, "text">; reply: Replies["team.say"] };
  "team.share": { data: Must<TeamData, "on">; reply: Replies["team.share"] };
  "profile.set": { data: May<TeamData, "name" | "lang">; reply: Replies["profile.set"] };
}
