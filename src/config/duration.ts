/** Durations as Calico and Go write them: `120s`, `2m0s`, `1h30m`, `1.5s`. */
const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};
const PART = /(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)/y;

/** Milliseconds; undefined for text that is no duration. A bare `0` is one, `90` is not: it has no unit. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (text === "") return undefined;
  let total = 0;
  PART.lastIndex = 0;
  for (let at = 0; at < text.length; at = PART.lastIndex) {
    const part = PART.exec(text);
    if (part === null) return undefined;
    total += Number(part[1]) * (UNIT_MS[part[2] as string] as number);
  }
  return total;
}

/** Whole seconds of a value that a schema has let pass: a number of seconds or a duration. */
export function secondsOf(value: number | string): number {
  return typeof value === "number" ? value : Math.round((parseDuration(value) ?? 0) / 1000);
}
