import { describe, expect, it } from "@jest/globals";
import { Drain, type DrainRequest } from "./drain.ts";

const SECOND = 1000;
const request = (more: Partial<DrainRequest> = {}): DrainRequest => ({
  by: "operator",
  message: "maintenance",
  servicesOnly: false,
  preferOthersMs: 10 * SECOND,
  podsMs: 60 * SECOND,
  ...more,
});

/** Phases as they are entered. */
function drainOf(asked: DrainRequest | undefined) {
  const entered: string[] = [];
  const drain = new Drain((phase) => void entered.push(phase));
  drain.ask(asked, 0);
  return { drain, entered };
}

const shows = ({ lastResort, servicesWithdrawn, allWithdrawn, phase }: Drain) =>
  [lastResort && "last resort", servicesWithdrawn && "no services", allWithdrawn && "nothing", phase].filter(Boolean);

describe("a drain", () => {
  it("goes step by step, and waits for pods before it takes them from the network", () => {
    const { drain } = drainOf(request());
    expect(shows(drain)).toEqual(["last resort", "announcing"]);
    drain.look(["default/web"], 9.9 * SECOND);
    expect(shows(drain)).toEqual(["last resort", "announcing"]);
    drain.look(["default/web"], 10 * SECOND);
    expect(shows(drain)).toEqual(["last resort", "no services", "waiting"]);
    expect(drain.pods).toEqual(["default/web"]);
    drain.look([], 20 * SECOND);
    expect(shows(drain)).toEqual(["last resort", "no services", "nothing", "withdrawn"]);
    drain.look([], 24.9 * SECOND);
    expect(drain.phase).toBe("withdrawn");
    drain.look([], 25 * SECOND);
    expect(shows(drain)).toEqual(["last resort", "no services", "nothing", "down"]);
    drain.ask(undefined, 30 * SECOND);
    expect(shows(drain)).toEqual(["serving"]);
  });

  it("waits for pods no longer than it was told, from when it was told", () => {
    const { drain } = drainOf(request({ by: "cordon", podsMs: Number.POSITIVE_INFINITY }));
    drain.look(["a/b"], 3_600 * SECOND);
    expect(drain.phase).toBe("waiting");
    drain.ask(request(), 3_600 * SECOND);
    drain.look(["a/b"], 3_659 * SECOND);
    expect(drain.phase).toBe("waiting");
    drain.look(["a/b"], 3_660 * SECOND);
    expect(drain.phase).toBe("withdrawn");
  });

  it("of services alone ends there, and takes back what went further", () => {
    const { drain, entered } = drainOf(request({ by: "cordon", servicesOnly: true }));
    drain.look([], 3_600 * SECOND);
    expect(shows(drain)).toEqual(["last resort", "no services", "waiting"]);
    drain.ask(request(), 3_601 * SECOND);
    drain.look([], 3_602 * SECOND);
    drain.ask(request({ by: "cordon", servicesOnly: true }), 3_603 * SECOND);
    expect(entered).toEqual(["announcing", "waiting", "withdrawn", "waiting"]);
  });

  it("asked for again is not begun again; taken back when there is none is nothing", () => {
    const { drain, entered } = drainOf(request());
    drain.look([], 5 * SECOND);
    drain.ask(request({ message: "still" }), 6 * SECOND);
    drain.look([], 10 * SECOND);
    expect(entered).toEqual(["announcing", "waiting", "withdrawn"]);
    const none = drainOf(undefined);
    expect([none.entered, none.drain.phase]).toEqual([[], "serving"]);
  });

  it("is hurried when no time is left", () => {
    const { drain, entered } = drainOf(request({ by: "shutdown" }));
    drain.look(["a/b"], 1);
    drain.hurry(2);
    drain.hurry(3);
    expect(entered).toEqual(["announcing", "withdrawn"]);
  });
});
