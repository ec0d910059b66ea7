/**
 * Moments of the monotonic clock as wall time. The same moment is told the same each time it is asked for, so that
 * nobody takes a rounding for a change; when the machine's clock is set, the answers follow.
 */

/** Apart by more than this the clock was set; less is rounding. */
const CLOCK_WAS_SET_MS = 500;

/** Milliseconds of the monotonic clock in, milliseconds since 1970 out. */
export function wallClock(): (monotonic: number) => number {
  const offsetNow = () => Date.now() - performance.now();
  let offset = offsetNow();
  return (monotonic) => {
    const now = offsetNow();
    if (Math.abs(now - offset) > CLOCK_WAS_SET_MS) offset = now;
    return monotonic + offset;
  };
}
