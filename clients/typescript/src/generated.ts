// What goes over the wire, generated from docs/protocol.schema.json and docs/protocol.md by scripts/generate.mjs:
// do not edit, run `npm run generate`. Promise: a test fails when this file is not what the documents say.

/** `quest.answer`: whether it was right. */
export type Answered =
  /** It was. */
  | {
    correct: true;
  }
  /** It was not: how many tries are left, and from when another is taken if none is. */
  | {
    correct: false;
    tries_left: number;
    wait_until: Timestamp | null;
  };

/** `board:<quest>`: the scores. */
export type BoardLive = {
  /** Which quest. */
  quest: Id;
  /** Most points first, 100 at most. */
  rows: Array<BoardLiveRow>;
  /** Other nodes may know more, or newer: there only when it is so. */
  stale?: boolean;
};

/** A team on a board. */
export type BoardLiveRow = {
  /** Its name. */
  name: string;
  /** Its points in this quest. */
  points: number;
  /** Which team. */
  team: Id;
};

/** `data` of connect, where the token has no such claim; what is of another type is passed over. */
export type ConnectData = {
  /** A language tag, such as `fi`. */
  lang?: string | null;
  /** The player's name for people: its first 60 characters count. */
  name?: string | null;
  /** Where the app left off, for SDKs that forget it when a page is loaded anew; what the SDK says itself counts more. */
  resume?: ResumeData | null;
};

/** It is done; there is nothing more to say. */
export type Empty = Record<string, never>;

/** Why a run ended unfinished. */
export type EndReason =
  /** The time limit. */
  | "time_over"
  /** The team gave up. */
  | "abandoned";

/** One decision of the fence engine, explained. */
export type Evidence = {
  /** Accuracy of the fix (68 % radius). */
  accuracy: Meters;
  /** Distance of the fix to the region's edge; inside is positive. */
  distance: Meters;
  /** Device time of the deciding fix. */
  fix_time: Timestamp;
  /** How many fixes of the confirmation agreed; 0 where none was asked. */
  fixes?: number;
  /** Reason codes of the plausibility rules that spoke. */
  flags?: Array<string>;
  /** Metres that had to lie between fix and edge for an exit. */
  margin?: Meters | null;
  /** Probability of being inside. */
  probability: number;
  /** Which rule decided. */
  rule: string;
  /** Version of the plausibility rules. */
  rules: number;
  /** How plausible the player's movement was, 0 to 1. */
  score: number;
  /** The probability that was asked for: to reach for an enter, to keep below for an exit. */
  threshold?: number | null;
};

/** A fix as the wire bears it: `data` of fix. */
export type FixData = {
  /** Metres around it that hold the true place with 68 %; 25 if missing. */
  acc?: number | null;
  /** Metres above the ellipsoid. */
  alt?: number | null;
  /** Degrees from north; negative means unknown. */
  heading?: number | null;
  /** Degrees north, WGS84. */
  lat: number;
  /** Degrees east, WGS84. */
  lon: number;
  /** The phone says that another app made this up. */
  mock?: boolean | null;
  /** Rises with each fix of this device; makes repeats harmless. */
  seq?: number | null;
  /** Metres a second; negative means unknown. */
  speed?: number | null;
  /** The device's time, in milliseconds since 1970; the server's if missing. */
  t?: number | null;
};

/** What became of fixes. */
export type FixReply = {
  /** How many were taken. */
  accepted: number;
  /** Those that were not taken, and why; sending them again is no use. */
  ignored?: Array<IgnoredFix>;
  /** When the next fix matters; absent until a fix has counted. */
  next?: NextFix | null;
  /** Rings around places that these fixes crossed, in order. */
  rings?: Array<RingCrossed>;
  /** The highest sequence number that need not be sent again. */
  seq?: number | null;
};

/** `data` of fixes. */
export type FixesData = {
  /** 1 to 100, oldest first. */
  fixes: Array<FixData>;
};

/** `quest.hint`: it comes as a notice. */
export type HintBought = {
  /** Points that it took off the step's; 0 if the team had it already. */
  cost: number;
};

/** Id. */
export type Id = string;

/** A fix that counted for nothing. */
export type IgnoredFix = {
  /** Its place in the batch, from 0. */
  index: number;
  /** Why. */
  reason: WhyIgnored;
};

/** `team.create` and `team.join`: the team that you are in now. */
export type Joined = {
  /** What a friend must say to join. */
  invite: string;
  /** Its name. */
  name: string;
  /** Its id. */
  team: Id;
};

/** `map:<west>,<south>,<east>,<north>`: who is in that window, of those who share with the player. */
export type MapLive = {
  /** Team-mates who share, and the player, in the window; the newest position of each. */
  players: Array<PlayerDot>;
  /** Other nodes may know more, or newer: there only when it is so. */
  stale?: boolean;
};

/** A member of a team. */
export type MemberView = {
  /** The player's name for people. */
  name: string;
  /** Who. */
  player: Id;
};

/** A length in metres; finite. */
export type Meters = number;

/** When the next fix matters: whichever comes first. */
export type NextFix = {
  /** After so many seconds, also without moving: the last fix left something open, or a stay is under way. */
  after_s?: number | null;
  /** After so many metres, 10 to 5,000: no edge of a place that the player may know is nearer. */
  distance: number;
};

/** A notice with its time. */
export type Notice =
  /** You are a member now. */
  | {
    invite: string;
    name: string;
    team: Id;
    type: "team.joined";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** You are no member any more. */
  | {
    team: Id;
    type: "team.left";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** A member came or went. */
  | {
    name: string;
    player: Id;
    present: boolean;
    team: Id;
    type: "team.member";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** A member said something. */
  | {
    player: Id;
    team: Id;
    text: string;
    type: "team.said";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** Your team has started. */
  | {
    ends_at: Timestamp | null;
    quest: Id;
    title: string;
    type: "quest.started";
    version: number;
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** Your team has finished; `points` is the team's total in this run. */
  | {
    points: number;
    quest: Id;
    type: "quest.finished";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** The run is over unfinished. */
  | {
    quest: Id;
    reason: EndReason;
    type: "quest.ended";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** A step can be done now. A hidden place is told here for the first time. */
  | {
    quest: Id;
    step: StepView;
    type: "step.opened";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** A step cannot be done for now (its hours have ended). */
  | {
    quest: Id;
    step: Id;
    type: "step.closed";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** Your own part is done; the team needs more. */
  | {
    have: number;
    need: number;
    quest: Id;
    step: Id;
    type: "step.reached";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** Done, for the whole team. `points` are yours when `mine`. */
  | {
    by: Array<Id>;
    mine: boolean;
    points: number;
    quest: Id;
    step: Id;
    type: "step.completed";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** You are inside a region, and why we think so. */
  | {
    place: Id;
    quest: Id;
    region: Id;
    type: "region.entered";
    why: Evidence;
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** You have left. */
  | {
    place: Id;
    quest: Id;
    region: Id;
    type: "region.left";
    why: Evidence;
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** Content to show here (AR anchor, model, fallback), as the quest file has it. */
  | {
    content: unknown;
    quest: Id;
    step: Id;
    type: "content";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** A hint that your team has bought. */
  | {
    cost: number;
    hint: number;
    quest: Id;
    step: Id;
    text: string;
    type: "hint.given";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** A photo waits for an operator. */
  | {
    quest: Id;
    step: Id;
    type: "photo.submitted";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** The operator wants another photo. */
  | {
    quest: Id;
    reason: string;
    step: Id;
    type: "photo.rejected";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** A badge for you. */
  | {
    badge: Id;
    quest: Id;
    type: "badge.given";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** Points beside a step's: a reward, or what stands in for one that ran out. */
  | {
    points: number;
    quest: Id;
    team: boolean;
    type: "points.given";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** A code from a limited stock, for the team. */
  | {
    code: string;
    number: number;
    pool: string;
    quest: Id;
    type: "code.given";
    /** Server time at which it came to be. */
    at: Timestamp;
  }
  /** A limited reward had run out. */
  | {
    pool: string;
    quest: Id;
    type: "reward.gone";
    /** Server time at which it came to be. */
    at: Timestamp;
  };

/** `quest.photo`: what becomes of it. */
export type PhotoTaken = {
  /** An operator will look at it. */
  review: Review;
};

/** A place as a player sees it. */
export type PlaceView = {
  /** Its name in the quest. */
  id: Id;
  /** Its name for people. */
  name: string;
  /** Its shape: GeoJSON geometry; a circle is a `Point` with `radius`. */
  outline: unknown;
};

/** A live player on the operator's map, or a team-mate who shares. Never logged, never stored. */
export type PlayerDot = {
  /** Accuracy, metres. */
  acc: number;
  /** Who. */
  id: Id;
  /** Latitude, degrees. */
  lat: number;
  /** Longitude, degrees. */
  lon: number;
  /** Team, if any. */
  team: Id | null;
};

/** `data` of quest.start and quest.leave. */
export type QuestData = {
  /** A client-made id of this command; a repeat gets the same answer. */
  cmd?: string | null;
  /** The quest. */
  quest: Id;
};

/** A refusal as the wire bears it. */
export type Refusal = {
  /** A stable number; see `CODES`. */
  code: number;
  /** For people: what is wrong and what to do. */
  message: string;
  /** Whether the same call may succeed later. */
  temporary?: boolean;
};

/** What each command is answered. */
export type Replies = {
  "profile.set": Empty;
  "quest.answer": Answered;
  "quest.choose": Empty;
  "quest.hint": HintBought;
  "quest.leave": Empty;
  "quest.photo": PhotoTaken;
  "quest.scan": Empty;
  "quest.start": Started;
  "team.create": Joined;
  "team.join": Joined;
  "team.leave": Empty;
  "team.say": Empty;
  "team.share": Empty;
};

/** A place in the player's own channel, as the app remembers it. */
export type ResumeData = {
  /** `epoch` of the own channel. */
  epoch: string;
  /** The last offset seen. */
  offset: number;
};

/** How a photo stands. */
export type Review =
  /** Nobody has looked yet. */
  | "pending";

/** A ring around a place that was crossed: a word for the app ("warm"), nothing that is kept. */
export type RingCrossed = {
  /** In or out. */
  moved: RingMove;
  /** Around which place. */
  place: Id;
  /** Of which quest. */
  quest: Id;
  /** Its name in the quest file. */
  ring: string;
};

/** Which way a ring was crossed. */
export type RingMove =
  /** Towards the place. */
  | "enter"
  /** Away from it. */
  | "exit";

/** A circle round the last fix that ends where the nearest circle begins that was not listed. */
export type Roam = {
  /** Latitude of its middle. */
  lat: number;
  /** Longitude of its middle. */
  lon: number;
  /** Metres; below 200 no phone watches it reliably, so stay awake. */
  radius: number;
};

/** A run of a quest as its player sees it. */
export type RunView = {
  /** Steps that are done. */
  done: Array<Id>;
  /** When its time is over, if that is limited. */
  ends_at: Timestamp | null;
  /** Open steps whose photo waits for an operator. */
  in_review: Array<Id>;
  /** Steps that can be done now. */
  open: Array<StepView>;
  /** Whether it is over. */
  over: boolean;
  /** Places that the player may know. */
  places: Array<PlaceView>;
  /** Which quest. */
  quest: Id;
  /** Open steps whose own part is done; the team needs more. */
  reached: Array<Id>;
  /** Whose run it is. */
  team: Id;
  /** Its title. */
  title: string;
  /** The version that is played. */
  version: number;
};

/** `quest.start`: the run has begun. */
export type Started = {
  /** When its time is over, if that is limited. */
  ends_at: Timestamp | null;
  /** Which quest. */
  quest: Id;
  /** The version that is played. */
  version: number;
};

/** All that a player may know now: the reply of `state.get`. */
export type StateView = {
  /** Badges. */
  badges: Array<Id>;
  /** Regions that the player is in, of those that the player may know. */
  inside: Array<Id>;
  /** The language of what the player is told. */
  lang: string;
  /** The player's name for people. */
  name: string;
  /** The last notice that is contained in this. */
  offset: number;
  /** Whose. */
  player: Id;
  /** Points of all quests. */
  points: number;
  /** Runs of quests, also those that are over. */
  runs: Array<RunView>;
  /** The player's team, if any. */
  team: TeamView | null;
};

/** `data` of the calls that act on a step; exactly the field that the method names must be there. */
export type StepData = {
  /** A client-made id of this command; a repeat gets the same answer. */
  cmd?: string | null;
  /** quest.scan: what the code said. */
  code?: string | null;
  /** quest.hint: which, from 0. */
  hint?: number | null;
  /** quest.choose: the option's id. */
  option?: string | null;
  /** quest.photo: a reference such as a URL. */
  photo?: string | null;
  /** The quest. */
  quest: Id;
  /** The step. */
  step: Id;
  /** quest.answer: the answer. */
  text?: string | null;
};

/** A step as a player sees it, in the player's language. */
export type StepView = {
  /** Hints: when each can be had, and what it costs. */
  hints?: Array<[Timestamp, number]>;
  /** Its name. */
  id: Id;
  /** How many members must do it. */
  members?: number | null;
  /** The options of a choice: id and label. */
  options?: Array<[string, string]>;
  /** Where. */
  place?: PlaceView | null;
  /** Points for it. */
  points: number;
  /** The question of an answer or a choice. */
  question?: string | null;
  /** How long to stay, in seconds. */
  stay_s?: number | null;
  /** Its title. */
  title: string;
  /** `visit`, `answer`, `scan`, `photo`, `follow`, `choose`, `meet`, or a group. */
  verb: string;
  /** `meet`: how near the others must be to one of them, in metres. */
  within?: Meters | null;
};

/** `data` of the team and profile calls. */
export type TeamData = {
  /** A client-made id of this command; a repeat gets the same answer. */
  cmd?: string | null;
  /** team.join: the invite code. */
  code?: string | null;
  /** profile.set: a language tag. */
  lang?: string | null;
  /** team.create and profile.set: a name. */
  name?: string | null;
  /** team.share: on or off. */
  on?: boolean | null;
  /** team.say: what to say. */
  text?: string | null;
};

/** `team:<id>`: where the members are who share. */
export type TeamLive = {
  /** Those who share, and whose session has sent a position. */
  members: Array<PlayerDot>;
  /** Other nodes may know more, or newer: there only when it is so. */
  stale?: boolean;
  /** Which team. */
  team: Id;
};

/** A run as its team sees it. */
export type TeamRunView = {
  /** Whether it is over. */
  over: boolean;
  /** The team's points in it. */
  points: number;
  /** Which quest. */
  quest: Id;
};

/** A team as its members see it. */
export type TeamView = {
  /** Its id. */
  id: Id;
  /** What a friend must say to join. */
  invite: string;
  /** Who is in it. */
  members: Array<MemberView>;
  /** Its name. */
  name: string;
  /** What it plays and has played. */
  runs: Array<TeamRunView>;
};

/** A point in time: milliseconds since 1970-01-01 UTC. */
export type Timestamp = number;

/** What a phone is to watch while its app sleeps: the reply of `wake`. */
export type Wake = {
  /** Circles to be woken at: places of open steps first, then the others, each from near to far. */
  circles: Array<WakeCircle>;
  /** When the next fix matters while the app is awake. */
  next: NextFix;
  /** Only when there are more places than were listed: on leaving it, ask again. */
  roam?: Roam | null;
};

/** A circle that holds a place and its rings. */
export type WakeCircle = {
  /** Metres from the last fix to its edge; negative inside. */
  distance: number;
  /** Latitude of its middle. */
  lat: number;
  /** Longitude of its middle. */
  lon: number;
  /** Whether the player can do something there now. */
  open: boolean;
  /** Which place. */
  place: Id;
  /** Of which quest. */
  quest: Id;
  /** Metres, 200 or more. */
  radius: number;
};

/** `data` of wake. */
export type WakeData = {
  /** How many circles the phone can watch, 1 to 100; 20 if missing. The roam circle counts. */
  max?: number | null;
};

/** Why a fix counted for nothing. The codes are stable; new ones may come. */
export type WhyIgnored =
  /** It is malformed, or out of range. */
  | "bad_fix"
  /** Its time is more than 30 seconds ahead of the server's. */
  | "future"
  /** It is more than 10 minutes old, or older than one that has counted. */
  | "late"
  /** Its number is new, and its time is not later than that of the one before. */
  | "not_rising"
  /** Nothing moves like that; it counts once a second one agrees. */
  | "teleport"
  /** Neither its accuracy nor any walk explains the step; it counts once a second one agrees. */
  | "jump"
  /** Another rule wants a second one that agrees. */
  | "held";

/** Every refusal of the server by its code: its name, and whether the same call may succeed later. */
export const REFUSALS = {
  /** A fault of ours; the log knows more. */
  100: { name: "internal", temporary: true },
  /** No such channel, or none of yours. */
  102: { name: "unknown_channel", temporary: false },
  /** Not for this role. */
  103: { name: "permission_denied", temporary: false },
  /** No such method. */
  104: { name: "method_not_found", temporary: false },
  /** Subscribed already. */
  105: { name: "already_subscribed", temporary: false },
  /** A limit of this connection is reached. */
  106: { name: "limit_exceeded", temporary: false },
  /** The command is malformed. */
  107: { name: "bad_request", temporary: false },
  /** This server has no presence, history, publishing or subscription tokens. */
  108: { name: "not_available", temporary: false },
  /** The token has expired. */
  109: { name: "token_expired", temporary: false },
  /** Slow down. */
  111: { name: "too_many_requests", temporary: true },
  /** The fix is malformed or out of range. */
  1001: { name: "bad_fix", temporary: false },
  /** The fix is from the future: the phone's clock is wrong. */
  1002: { name: "fix_from_future", temporary: false },
  /** The journal or the owner of the entity cannot be reached now, or it is parked; nothing was done or it will be recognised when repeated. */
  1003: { name: "unavailable", temporary: true },
  /** The entity, or the whole node, has too much to do; ask again. */
  1004: { name: "busy", temporary: true },
  /** The same command id came with another content. */
  1005: { name: "command_conflict", temporary: false },
  /** No fix of yours has counted since you connected. */
  1006: { name: "no_fix", temporary: true },
  /** An operator has dropped the command, since the server failed at it: it was not done and will not be. */
  1007: { name: "dropped", temporary: false },
  /** The keys that tokens are checked with cannot be had now. */
  1008: { name: "keys_unavailable", temporary: true },
  /** A newer device of yours tracks now: this one's fixes do not count. */
  1009: { name: "other_device", temporary: false },
  /** No quest of that name is published. */
  1101: { name: "unknown_quest", temporary: false },
  /** The quest has no step of that name. */
  1102: { name: "unknown_step", temporary: false },
  /** The quest is not open now. */
  1103: { name: "quest_closed", temporary: true },
  /** Your team does not play this quest. */
  1104: { name: "not_playing", temporary: false },
  /** Your team plays it already, or has finished it. */
  1105: { name: "already_played", temporary: false },
  /** The run's time is over. */
  1106: { name: "time_over", temporary: false },
  /** Another quest comes first. */
  1107: { name: "quest_required", temporary: false },
  /** The step is not open for your team. */
  1201: { name: "step_not_open", temporary: true },
  /** The step is done already. */
  1202: { name: "step_done", temporary: false },
  /** You are not there yet. */
  1203: { name: "not_there", temporary: true },
  /** Too many tries; wait. */
  1205: { name: "wait", temporary: true },
  /** That is not the code that hangs here. */
  1206: { name: "wrong_code", temporary: true },
  /** No such option. */
  1207: { name: "unknown_option", temporary: false },
  /** The step is done in another way. */
  1208: { name: "wrong_verb", temporary: false },
  /** The hint cannot be had now, or does not exist. */
  1209: { name: "no_hint", temporary: true },
  /** Nothing here waits for a review. */
  1210: { name: "no_photo", temporary: false },
  /** You are in no team. */
  1301: { name: "no_team", temporary: false },
  /** You are in a team already. */
  1302: { name: "in_team", temporary: false },
  /** No team answers to that code. */
  1303: { name: "bad_invite", temporary: false },
  /** The team is full. */
  1304: { name: "team_full", temporary: false },
  /** The team has too few or too many members for this quest. */
  1305: { name: "team_size", temporary: true },
  /** The team of that name exists already. */
  1306: { name: "team_exists", temporary: false },
} as const;

/** Every code with which the server closes a connection, and whether to come back after it. */
export const CLOSES = {
  /** The peer broke the WebSocket protocol. */
  1002: { reason: "protocol error", comeBack: true },
  /** A binary frame on the JSON form, or a text frame on the Protobuf form. */
  1003: { reason: "wrong kind of frame", comeBack: true },
  /** Text that is not UTF-8. */
  1007: { reason: "invalid utf-8", comeBack: true },
  /** A message that was begun and is not whole after the deadline. */
  1008: { reason: "message unfinished", comeBack: true },
  /** A message or frame over the limit, or one in too many pieces. */
  1009: { reason: "message too big", comeBack: false },
  /** The node goes away; another one, or its successor, is ready. */
  3001: { reason: "shutdown", comeBack: true },
  /** A fault of ours; the log knows more. */
  3004: { reason: "internal server error", comeBack: true },
  /** The token ran out and was not refreshed in time. */
  3005: { reason: "connection expired", comeBack: true },
  /** The client does not read what it is sent. */
  3008: { reason: "slow", comeBack: true },
  /** No message came after a ping. */
  3012: { reason: "no pong", comeBack: true },
  /** The client went on although it was told to slow down. */
  3013: { reason: "too many requests", comeBack: true },
  /** The token is no good and will not become so. */
  3500: { reason: "invalid token", comeBack: false },
  /** The client does not speak the protocol. */
  3501: { reason: "bad request", comeBack: false },
  /** No connect command came in time. */
  3502: { reason: "stale", comeBack: false },
  /** A newer connection of the same player has taken over. */
  4501: { reason: "replaced", comeBack: false },
  /** An operator has revoked the token; another one is welcome. */
  4502: { reason: "revoked", comeBack: false },
} as const;

/** Every method of the server. */
export const METHODS = [
  "fix",
  "fixes",
  "state.get",
  "wake",
  "quest.start",
  "quest.leave",
  "quest.answer",
  "quest.scan",
  "quest.choose",
  "quest.photo",
  "quest.hint",
  "team.create",
  "team.join",
  "team.leave",
  "team.say",
  "team.share",
  "profile.set",
] as const;

/** Every type of notice. */
export const NOTICES = [
  "team.joined",
  "team.left",
  "team.member",
  "team.said",
  "quest.started",
  "quest.finished",
  "quest.ended",
  "step.opened",
  "step.closed",
  "step.reached",
  "step.completed",
  "region.entered",
  "region.left",
  "content",
  "hint.given",
  "photo.submitted",
  "photo.rejected",
  "badge.given",
  "points.given",
  "code.given",
  "reward.gone",
] as const;
