// What the compiler must accept, and what it must refuse; never run. `npm run check` fails when either changes.

import { type Commands, METHODS, type Notice, type Refused, Waystone } from "../src/index.js";

/** Every method of the server has a typed way here. */
type Ways = keyof Commands | "fix" | "fixes" | "state.get" | "wake";
export const unreachable: Array<Exclude<(typeof METHODS)[number], Ways>> = [] satisfies never[];
export const unknown: Array<Exclude<Ways, (typeof METHODS)[number]>> = [] satisfies never[];

export async function uses(session: Waystone): Promise<void> {
  session.on("step.completed", ({ points, by, mine }) => mine && points > by.length);
  session.on("region.entered", ({ why }) => why.distance.toFixed(1));
  session.on("closed", ({ reason }) => reason === "replaced");
  // @ts-expect-error: no such notice
  session.on("step.complete", () => {});
  // @ts-expect-error: a field of another notice
  session.on("badge.given", ({ points }) => points);

  const answer = await session.act("quest.answer", { quest: "q", step: "s", text: "2" });
  if (!answer.correct) answer.tries_left.toFixed(0);
  // @ts-expect-error: only a wrong answer leaves tries
  answer.tries_left.toFixed(0);
  // @ts-expect-error: the text is missing
  await session.act("quest.answer", { quest: "q", step: "s" });
  // @ts-expect-error: the method's own field only
  await session.act("quest.scan", { quest: "q", step: "s", text: "2" });
  // @ts-expect-error: ids are the package's business, or an option
  await session.act("team.say", { text: "hi", cmd: "1" });

  // What a browser's GeolocationCoordinates has.
  session.fix({ lat: 60, lon: 24, acc: 5, speed: null, heading: null, alt: null });
}

/** Notices are told apart by their type, and none is left. */
export function tells(notice: Notice): string {
  switch (notice.type) {
    case "quest.started":
      return notice.title;
    case "step.opened":
      return notice.step.title;
    default:
      // @ts-expect-error: only some have a title
      return notice.title;
  }
}

export function refused({ refusal, temporary }: Refused): boolean {
  // @ts-expect-error: no such refusal
  return refusal === "not_here" || (refusal === "not_there" && temporary);
}
