import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "./address.ts";
import * as any from "./arbitraries.ts";
import { containsAddress, formatPrefix, prefixOf } from "./prefix.ts";
import { PrefixMap } from "./prefix-map.ts";

it("agrees with a list searched from end to end", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom("set" as const, "delete" as const), prefix: any.prefix, value: fc.nat() }),
    fc.record({ kind: fc.constant("again" as const), which: fc.nat(), value: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.array(any.address, { maxLength: 10 }), (steps, addresses) => {
      const map = new PrefixMap<number>();
      const model = new Map<string, number>();
      for (const step of steps) {
        const known = [...model.keys()];
        if (step.kind === "again") {
          const text = known[step.which % (known.length || 1)];
          if (text === undefined) continue;
          // Every other time a known prefix is deleted, else overwritten.
          if (step.value % 2 === 0) expect(map.delete(prefixOf(text))).toBe(model.delete(text));
          else {
            map.set(prefixOf(text), step.value);
            model.set(text, step.value);
          }
        } else if (step.kind === "set") {
          map.set(step.prefix, step.value);
          model.set(formatPrefix(step.prefix), step.value);
        } else expect(map.delete(step.prefix)).toBe(model.delete(formatPrefix(step.prefix)));
      }
      expect(map.size).toBe(model.size);
      const entries = [...map.entries()].map(({ prefix, value }) => [formatPrefix(prefix), value] as const);
      expect(new Map(entries)).toEqual(model);
      for (const [text, value] of model) expect(map.get(prefixOf(text))).toBe(value);
      for (const address of [...addresses, ...[...map.entries()].map(({ prefix }) => prefix.address)]) {
        const around = [...model.keys()].map(prefixOf).filter((prefix) => containsAddress(prefix, address));
        const longest = around.sort((a, b) => b.length - a.length)[0];
        expect(map.longest(address)?.value).toBe(longest && model.get(formatPrefix(longest)));
      }
    }),
  );
});

it("keeps the families apart", () => {
  const map = new PrefixMap<string>();
  map.set(prefixOf("0.0.0.0/0"), "four");
  expect(map.longest(addressOf("::1"))).toBeUndefined();
  map.set(prefixOf("::/0"), "six");
  expect(map.longest(addressOf("::1"))?.value).toBe("six");
  expect(map.longest(addressOf("192.0.2.1"))?.value).toBe("four");
});
