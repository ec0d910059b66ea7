/** What a router says of itself, whichever program it runs. */

export interface RouterSession {
  /** The neighbour by its name in the lab. */
  readonly peer: string;
  readonly state: string;
  readonly established: boolean;
}

export interface RouterRoute {
  readonly prefix: string;
  readonly nextHops: readonly string[];
}
