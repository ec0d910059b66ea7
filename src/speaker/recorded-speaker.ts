/** A speaker that remembers what it was told, and whose messages an operator can watch. */
import type { Fact, Work } from "../../bgp/facts.ts";
import { seededRandom } from "../../bgp/simulate/random.ts";
import { Speaker } from "../../bgp/speaker.ts";
import { Captures } from "./capture.ts";
import { Recorder, type RecorderOptions } from "./record.ts";

/** The Internet's table. Room that is not used takes no memory. */
const EXPECTED_PREFIXES = 1024 * 1024;

export class RecordedSpeaker extends Speaker {
  readonly recorder: Recorder;
  readonly captures = new Captures();
  #now = 0;

  constructor(options: RecorderOptions) {
    const { seed, restarting, forwards = true } = options;
    super({ random: seededRandom(seed), restarting, forwards, expectedPrefixes: EXPECTED_PREFIXES });
    this.recorder = new Recorder(options);
  }

  override tell(fact: Fact, now: number): void {
    this.#now = now;
    this.recorder.told(fact, now);
    if (this.captures.any) this.captures.told(fact, this, now);
    super.tell(fact, now);
  }

  override work(now: number): Work[] {
    this.#now = now;
    this.recorder.asked(now);
    const work = super.work(now);
    this.recorder.did(work, now);
    if (this.captures.any) this.captures.did(work, this, now);
    return work;
  }

  override endRestart(): void {
    this.recorder.endedRestart(this.#now);
    super.endRestart();
  }
}
