/** What a cluster has agreed on for giving out addresses: its IPAMConfiguration and its IPReservations. */
import { Reservations } from "./reservations.ts";

export interface Rules {
  /** A node gives out addresses of its own blocks only: nothing is borrowed. */
  readonly strictAffinity: boolean;
  /** The most blocks of each family that a node claims by itself; 0: no limit. */
  readonly maxBlocksPerHost: number;
  /** A released address rests this long, so that no late packet or stale connection state meets its next owner. */
  readonly restMs: number;
  readonly reserved: Reservations;
}

export const usualRules: Rules = {
  strictAffinity: false,
  maxBlocksPerHost: 0,
  restMs: 30_000,
  reserved: new Reservations([]),
};
