/** Compares what a tester has with what a case expects, and says in words where they differ. */
import { SEQUENCE } from "./attributes.ts";
import type { RouteExpectation, Sight } from "./case.ts";
import { Cursor, type HeardRoute, readAttributes } from "./decode.ts";
import { hex } from "./octets.ts";
import type { Session } from "./session.ts";

/** The prefix with each path identifier under which it is there. */
export const keysOf = (session: Session, prefix: string): string[] =>
  [...session.routes.keys()].filter((key) => key.split("#")[0] === prefix);

/** Paths to a prefix, whatever their path identifiers. */
export const pathsTo = (session: Session, prefix: string): HeardRoute[] =>
  keysOf(session, prefix).map((key) => session.routes.get(key) as HeardRoute);

export function sightProblems(who: string, session: Session, sight: Sight): string[] {
  const problems = session.problem === "" ? [] : [`${who} heard ${session.problem}`];
  for (const [prefix, expected] of Object.entries(sight)) {
    const wanted = Array.isArray(expected) ? (expected as readonly RouteExpectation[]) : [expected as RouteExpectation];
    const paths = pathsTo(session, prefix);
    if (paths.length !== wanted.length) {
      const seen = paths.map(describeRoute).join("; ");
      problems.push(`${who} has ${paths.length} paths to ${prefix}, expected ${wanted.length}${seen && `: ${seen}`}`);
      continue;
    }
    problems.push(...unmatched(paths, wanted).map((problem) => `${who} has ${prefix}, but ${problem}`));
  }
  return problems;
}

/** Each expectation takes the path that fits it best. */
function unmatched(paths: readonly HeardRoute[], wanted: readonly RouteExpectation[]): string[] {
  const left = [...paths];
  return wanted.flatMap((expected) => {
    const judged = left.map((route) => ({ route, problems: routeProblems(route, expected) }));
    const best = judged.sort((a, b) => a.problems.length - b.problems.length)[0];
    if (best === undefined) return [];
    left.splice(left.indexOf(best.route), 1);
    return best.problems;
  });
}

function routeProblems(route: HeardRoute, expected: RouteExpectation): string[] {
  const problems: string[] = [];
  const { attributes } = route;
  for (const [type, { flags, value }] of (expected.with ?? []).flatMap(readAttributes)) {
    const got = attributes.get(type);
    const text = (one: { flags: number; value: Uint8Array }) => `${hex(Uint8Array.of(one.flags))} ${hex(one.value)}`;
    if (got === undefined) problems.push(`attribute ${type} is missing (expected ${text({ flags, value })})`);
    else if (text(got) !== text({ flags, value })) {
      problems.push(`attribute ${type} is ${text(got)}, expected ${text({ flags, value })}`);
    }
  }
  if (expected.path !== undefined) {
    const path = numbersOf(attributes.get(2)?.value).join(" ");
    if (path !== expected.path.join(" ")) problems.push(`the path is ${path}, expected ${expected.path.join(" ")}`);
  }
  for (const type of expected.without ?? []) {
    const got = attributes.get(type);
    if (got !== undefined) problems.push(`attribute ${type} is there: ${hex(got.value)}`);
  }
  if (expected.only !== undefined) {
    const types = [...attributes.keys()].sort((a, b) => a - b).join(" ");
    if (types !== expected.only.join(" "))
      problems.push(`has attributes ${types}, expected ${expected.only.join(" ")}`);
  }
  const nextHops = expected.nextHop === undefined ? [route.nextHop] : [expected.nextHop].flat();
  if (!nextHops.includes(route.nextHop)) {
    problems.push(`the next hop is ${route.nextHop}, expected ${nextHops.join(" or ")}`);
  }
  return problems;
}

/** Of an AS_PATH of sequences in four-octet numbers. */
function numbersOf(value: Uint8Array = new Uint8Array(0)): (number | string)[] {
  const cursor = new Cursor(value);
  const numbers: (number | string)[] = [];
  while (cursor.left > 0) {
    if (cursor.u8() !== SEQUENCE) return [...numbers, "a segment that is no sequence"];
    for (let count = cursor.u8(); count > 0; count--) numbers.push(cursor.u32());
  }
  return numbers;
}

function describeRoute({ attributes, nextHop }: HeardRoute): string {
  const text = [...attributes].map(([type, { value }]) => `${type}=${hex(value)}`).join(" ");
  return `${text} next hop ${nextHop}`;
}
