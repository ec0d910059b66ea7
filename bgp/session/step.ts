/** The finite state machine put together: which function stands for which state, and one step of it. */
import { active } from "./active.ts";
import { connect } from "./connect.ts";
import { established } from "./established.ts";
import type { Fsm, FsmEvent, StateHandler, StateName } from "./fsm.ts";
import { idle } from "./idle.ts";
import { openConfirm } from "./open-confirm.ts";
import { openSent } from "./open-sent.ts";

const STATES: Readonly<Record<StateName, StateHandler>> = {
  Idle: idle,
  Connect: connect,
  Active: active,
  OpenSent: openSent,
  OpenConfirm: openConfirm,
  Established: established,
};

/** Runs one event; returns the state the machine came from when its state changed. */
export function step(fsm: Fsm, event: FsmEvent, now: number): StateName | undefined {
  const before = fsm.state;
  const next = STATES[before](fsm, event, now);
  if (next === undefined) return undefined;
  fsm.enter(next, now);
  return next.state === before ? undefined : before;
}
