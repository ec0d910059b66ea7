import { describe, it } from "@jest/globals";
import { seededRandom } from "../simulate/random.ts";
import { decodeAll } from "./decoders.ts";
import { Messages } from "./messages.ts";
import { mutated } from "./mutate.ts";
import { FuzzedSession } from "./session.ts";

// A few seconds of what `npm run fuzz` does for as long as it is told to, with seeds that stay.
describe("damaged messages", () => {
  it.each([1, 2, 3, 4])("no decoder throws, and what is kept is without fault (seed %i)", (seed) => {
    const random = seededRandom(seed);
    const external = seed % 2 === 0;
    const messages = new Messages(random, {
      asNumber: 65001,
      external,
      asOctets: 4,
      addPath: seed > 2,
      maxMessageLength: 4096,
    });
    for (let n = 0; n < 2500; n++) decodeAll(mutated(messages.next(), random), random);
  });

  it.each([1, 101])("a peer that says anything harms no other (100 seeds from %i on)", (first) => {
    for (let seed = first; seed < first + 100; seed++) new FuzzedSession(seededRandom(seed)).run();
  });

  it("messages that are not damaged are taken as they are", () => {
    const random = seededRandom(7);
    const manner = { asNumber: 65001, external: true, asOctets: 4, addPath: false, maxMessageLength: 4096 } as const;
    const messages = new Messages(random, manner);
    for (let n = 0; n < 2000; n++) decodeAll(messages.next(), random);
  });
});
