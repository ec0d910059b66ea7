/** The part of kubectl's JSONPath that printer columns and selectable fields use. */
import { isMap, type Json, textAt } from "./json.ts";

type Step = (values: readonly Json[]) => Json[];

const FORMS = [
  /\.\.(?<deep>[A-Za-z_][\w-]*)/,
  /\.(?<field>(?:\\.|[^.[\]\\])+)/,
  /\[['"](?<quoted>[^'"]+)['"]\]/,
  /\[(?<index>-?\d+|\*)\]/,
  /\[\?\((?<filter>.+?)\)\]/,
];
const TOKEN = new RegExp(FORMS.map(({ source }) => source).join("|"), "y");

const compiled = new Map<string, readonly Step[]>();

/** All values at the path; unreadable paths select nothing. */
export function jsonPath(path: string, value: Json): Json[] {
  let steps = compiled.get(path);
  if (steps === undefined) {
    steps = compile(path);
    compiled.set(path, steps);
  }
  return steps.reduce<Json[]>((values, step) => step(values), [value]);
}

function compile(path: string): Step[] {
  const text = path.replace(/^\{(.*)\}$/, "$1").replace(/^\$/, "");
  const steps: Step[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) return [() => []];
    steps.push(stepOf(groups));
  }
  return steps;
}

function stepOf({ deep, field, quoted, index, filter }: Record<string, string | undefined>): Step {
  if (deep !== undefined) return (values) => values.flatMap((value) => everywhere(value, deep));
  if (index === "*") return (values) => values.flatMap(items);
  if (index !== undefined) return (values) => values.flatMap((value) => present(items(value).at(Number(index))));
  if (filter !== undefined) return filtered(filter);
  const name = quoted ?? (field ?? "").replaceAll(/\\(.)/g, "$1");
  if (name === "*") return (values) => values.flatMap(items);
  return (values) => values.flatMap((value) => present(isMap(value) ? value[name] : undefined));
}

const present = (value: Json | undefined): Json[] => (value === undefined || value === null ? [] : [value]);
const items = (value: Json): Json[] => (Array.isArray(value) ? value : isMap(value) ? Object.values(value) : []);

const everywhere = (value: Json, name: string): Json[] => [
  ...present(isMap(value) ? value[name] : undefined),
  ...items(value).flatMap((inner) => everywhere(inner, name)),
];

/** `@.type=="Ready"`, `@.port>1024`, `@.name`. */
function filtered(text: string): Step {
  const match = /^\s*@(?<path>[^=!<>]*?)\s*(?:(?<operator>==|!=|<=|>=|<|>)\s*(?<literal>.+?))?\s*$/.exec(text);
  const { path = "", operator, literal = "" } = match?.groups ?? {};
  const wanted = /^['"]/.test(literal) ? literal.slice(1, -1) : literal;
  const holds = (item: Json): boolean => {
    const [found] = jsonPath(path, item);
    if (operator === undefined) return found !== undefined;
    if (operator === "==") return found !== undefined && textAt(found) === wanted;
    if (operator === "!=") return found === undefined || textAt(found) !== wanted;
    const [one, other] = [Number(found), Number(wanted)];
    return operator === "<"
      ? one < other
      : operator === ">"
        ? one > other
        : operator === "<="
          ? one <= other
          : one >= other;
  };
  return (values) => values.flatMap(items).filter(holds);
}
