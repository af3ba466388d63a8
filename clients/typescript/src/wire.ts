// What goes over the wire and is not in the schema: fixes, the state, replies of commands, live channels.
//
// Written by hand after docs/protocol.md and the server's own views. Promise: the tests hold these against a running
// server; what the schema does have comes from generated.ts, and commands take their fields from there.

import type { Id, Notice, PlaceView, QuestData, StepData, StepView, TeamData, Timestamp } from "./generated.js";

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
export interface State {
  player: Id;
  name: string;
  lang: string;
  points: number;
  badges: Id[];
  /** Regions that the player is in. */
  inside: Id[];
  runs: Run[];
  /** The player's team, if any. */
  team: Team | null;
  /** The last notice that is contained in this. */
  offset: number;
}

/** A run of a quest as its player sees it. */
export interface Run {
  quest: Id;
  version: number;
  title: string;
  team: Id;
  /** When its time is over, if that is limited. */
  ends_at: Timestamp | null;
  over: boolean;
  /** Steps that can be done now. */
  open: StepView[];
  done: Id[];
  /** Open steps whose own part is done; the team needs more. */
  reached: Id[];
  /** Open steps whose photo waits for an operator. */
  in_review: Id[];
  /** Places that the player may know. */
  places: PlaceView[];
}

/** A team as its members see it. */
export interface Team {
  id: Id;
  name: string;
  /** What a friend must say to join. */
  invite: string;
  members: Array<{ player: Id; name: string }>;
  runs: Array<{ quest: Id; points: number; over: boolean }>;
}

/** `team:<id>`: where team-mates are who share it. */
export interface TeamLive {
  team: Id;
  members: Array<{ id: Id; team: Id | null; lon: number; lat: number; acc: number }>;
  /** The node that knows better cannot be reached: this is what was last heard. */
  stale?: boolean;
}

/** `board:<quest>`: the scores, most points first. */
export interface BoardLive {
  quest: Id;
  rows: Array<{ team: Id; name: string; points: number }>;
  /** The node that knows better cannot be reached: this is what was last heard. */
  stale?: boolean;
}

/** Fields of the schema's `Data` that this method must have. */
type Must<Data, Field extends keyof Data> = { [F in Field]-?: NonNullable<Data[F]> };
/** Fields of the schema's `Data` that this method may have. */
type May<Data, Field extends keyof Data> = { [F in Field]?: NonNullable<Data[F]> };
type OnStep<Field extends keyof StepData> = Must<StepData, "quest" | "step" | Field>;
/** A reply that says no more than that it is done. */
type Done = Record<string, never>;

/** The commands: what each takes, less its `cmd`, and what it is answered. */
export interface Commands {
  "quest.start": { data: Must<QuestData, "quest">; reply: { quest: Id; version: number; ends_at: Timestamp | null } };
  "quest.leave": { data: Must<QuestData, "quest">; reply: Done };
  "quest.answer": {
    data: OnStep<"text">;
    reply: { correct: true } | { correct: false; tries_left: number; wait_until: Timestamp | null };
  };
  "quest.scan": { data: OnStep<"code">; reply: Done };
  "quest.choose": { data: OnStep<"option">; reply: Done };
  "quest.photo": { data: OnStep<"photo">; reply: { review?: "pending" } };
  "quest.hint": { data: OnStep<"hint">; reply: { cost: number } };
  "team.create": { data: Must<TeamData, "name">; reply: { team: Id; name: string; invite: string } };
  "team.join": { data: Must<TeamData, "code">; reply: { team: Id; name: string; invite: string } };
  "team.leave": { data: Record<string, never>; reply: Done };
  "team.say": { data: Must<TeamData, "text">; reply: Done };
  "team.share": { data: Must<TeamData, "on">; reply: Done };
  "profile.set": { data: May<TeamData, "name" | "lang">; reply: Done };
}
