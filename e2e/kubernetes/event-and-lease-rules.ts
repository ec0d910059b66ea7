/** Events and Leases: whose namespace they may be in, and how their times have to be written. */
import { isMap, type JsonMap, type KubeObject, mapAt, textAt } from "./json.ts";
import { badRequest, type Cause, invalidField, requiredField } from "./refusal.ts";

/** Go reads a MicroTime with exactly six digits behind the point: what Date.toISOString() gives is refused. */
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d\d:\d\d)$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

function checkTimes(kind: string, of: JsonMap, fields: readonly string[], form: RegExp, layout: string): void {
  for (const field of fields) {
    const value = of[field];
    if (value === undefined || value === null || (typeof value === "string" && form.test(value))) continue;
    throw badRequest(
      `${kind} in version "v1" cannot be handled as a ${kind}: parsing time ${JSON.stringify(value)} as "${layout}": ` +
        `cannot parse it (${field})`,
    );
  }
}

const micro = (kind: string, of: JsonMap, ...fields: string[]): void =>
  checkTimes(kind, of, fields, MICRO_TIME, "2006-01-02T15:04:05.000000Z07:00");

export function leaseAsGiven(draft: KubeObject): KubeObject {
  micro("Lease", mapAt(draft, "spec"), "acquireTime", "renewTime");
  return draft;
}

export function leaseProblems(draft: KubeObject): Cause[] {
  const { leaseDurationSeconds: seconds, leaseTransitions: transitions } = mapAt(draft, "spec");
  const causes: Cause[] = [];
  if (seconds !== undefined && !(Number.isInteger(seconds) && Number(seconds) > 0)) {
    causes.push(invalidField("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
  }
  if (transitions !== undefined && !(Number.isInteger(transitions) && Number(transitions) >= 0)) {
    causes.push(invalidField("spec.leaseTransitions", transitions, "must be greater than or equal to 0"));
  }
  return causes;
}

export function eventAsGiven(draft: KubeObject): KubeObject {
  micro("Event", draft, "eventTime");
  if (isMap(draft["series"])) micro("Event", draft["series"], "lastObservedTime");
  checkTimes("Event", draft, ["firstTimestamp", "lastTimestamp"], TIME, "2006-01-02T15:04:05Z07:00");
  return draft;
}

/** Of what has no namespace they are in `default`; new ones, with an eventTime, may be in kube-system too. */
export function eventProblems(draft: KubeObject): Cause[] {
  const { namespace = "" } = draft.metadata;
  const involved = textAt(draft, "involvedObject", "namespace");
  const isNew = textAt(draft, "eventTime") !== "";
  const places = involved !== "" ? [involved] : isNew ? ["default", "kube-system"] : ["default"];
  const causes: Cause[] = [];
  if (!places.includes(namespace) && !(isNew && involved !== "")) {
    causes.push(invalidField("involvedObject.namespace", involved, "does not match event.namespace"));
  }
  if (!isNew) return causes;
  for (const field of ["reportingComponent", "reportingInstance", "action", "reason"]) {
    if (textAt(draft, field) === "") causes.push(requiredField(field));
    else if (textAt(draft, field).length > 128) causes.push(invalidField(field, "", "can have at most 128 characters"));
  }
  if (textAt(draft, "message").length > 1024)
    causes.push(invalidField("message", "", "can have at most 1024 characters"));
  const type = textAt(draft, "type");
  if (type !== "Normal" && type !== "Warning") causes.push(invalidField("type", type, "has invalid value"));
  return causes;
}
