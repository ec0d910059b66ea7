/**
 * What a failed call to etcd tells about a write: certainly not applied, or nobody knows.
 *
 * Only refusals that come before the write enters etcd's log count as certain. All else is unknown, among it etcd's own
 * "request timed out" and "leader changed": the proposal may still be committed.
 */
import { StoreUnavailable } from "../store.ts";

/** The call never left this machine: there was no connection to send it on. */
const neverSent = [
  "No connection established",
  "Channel closed before call started",
  "Name resolution failed",
  "Waiting for LB pick",
];

/** gRPC codes under which etcd refuses a request before it proposes it (INVALID_ARGUMENT, PERMISSION_DENIED, …). */
const refusedBefore = new Set([3, 5, 7, 8, 9, 11, 16]);

export function outcomeOf(message: string): StoreUnavailable["outcome"] {
  if (neverSent.some((phrase) => message.includes(phrase))) return "not-applied";
  const code = /^(\d+) [A-Z_]+: etcdserver: /.exec(message)?.[1];
  return code !== undefined && refusedBefore.has(Number(code)) ? "not-applied" : "unknown";
}

/** True when another endpoint, or the same one later, may well answer: not so after a refusal by etcd itself. */
export function mayPass(message: string): boolean {
  const code = /^(\d+) [A-Z_]+: etcdserver: /.exec(message)?.[1];
  return code === undefined || !refusedBefore.has(Number(code));
}
