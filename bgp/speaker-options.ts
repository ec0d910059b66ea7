/** What a speaker is made with. */

export interface SpeakerOptions {
  /** Numbers in [0, 1) for jitter. */
  readonly random: () => number;
  /** The kernel kept forwarding while we were away: says so to the peers until Speaker.endRestart(). */
  readonly restarting: boolean;
  /** Nobody pulls forwarding changes: none are gathered. */
  readonly forwards?: boolean;
  /** Prefixes of a family for which room is reserved: see Rib. */
  readonly expectedPrefixes?: number;
}
