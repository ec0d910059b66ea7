/** What concerns all peers of a speaker. */
export interface SpeakerSettings {
  /** RFC 4271 9.1.2.2 c: MED between paths of the same neighbouring AS only, or between all. */
  readonly compareMed: "same-as" | "always";
  /** A path without MED counts as the best one (0, RFC 4271) or as the worst. */
  readonly missingMed: "best" | "worst";
  /** How many equally good paths go to the kernel; 1: the best only. */
  readonly multipath: number;
}

export const DEFAULT_SETTINGS: SpeakerSettings = { compareMed: "same-as", missingMed: "best", multipath: 16 };
