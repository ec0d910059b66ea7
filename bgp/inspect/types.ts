/**
 * What an operator is shown of a speaker: plain JSON values, the same for the socket, `-o json` and the tables.
 *
 * Times are RFC 3339 in UTC, durations seconds, addresses and prefixes text. What does not apply is absent.
 */
import type { StateName } from "../session/fsm.ts";
import type { AttributesView } from "./attributes.ts";
import type { FamilyName } from "./names.ts";

/** Moments of the speaker's clock (ms) as RFC 3339. */
export type Wall = (monotonic: number) => string;

export interface FamilyCounts {
  readonly family: FamilyName;
  /** Paths the peer announced and has not withdrawn. */
  readonly received: number;
  /** Of those, paths that import rules let in. */
  readonly accepted: number;
  /** Of those, paths that are the best of their prefix. */
  readonly best: number;
  /** Prefixes the peer was told. */
  readonly advertised: number;
  /** Paths kept from before the session was lost (RFC 4724). */
  readonly stale: number;
}

export interface PeerSummary {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly asNumber: number;
  readonly localASNumber: number;
  readonly type: "external" | "internal";
  readonly state: StateName;
  /** False: taken down by an operator or by the configuration. */
  readonly enabled: boolean;
  /** When the state was entered. */
  readonly since: string;
  /** Seconds in the state. */
  readonly uptime: number;
  /** How often the session was established. */
  readonly established: number;
  /** In words; empty when nothing went wrong since. */
  readonly lastError: string;
  readonly families: readonly FamilyCounts[];
}

export interface MessageCounts {
  readonly open: number;
  readonly update: number;
  readonly notification: number;
  readonly keepalive: number;
  readonly routeRefresh: number;
  readonly total: number;
}

/** How often RFC 7606 had to be applied, by attribute and by what was done. */
export interface ErrorCount {
  readonly attribute: string;
  readonly action: string;
  readonly count: number;
}

export interface NotificationView {
  readonly direction: "sent" | "received";
  readonly at: string;
  readonly text: string;
}

export interface NegotiatedView {
  readonly families: readonly FamilyName[];
  readonly holdTime: number;
  readonly keepaliveTime: number;
  readonly peerRouterID: string;
  readonly asOctets: 2 | 4;
  readonly routeRefresh: boolean;
  readonly enhancedRefresh: boolean;
  readonly maxMessageLength: number;
  readonly addPathSend: readonly FamilyName[];
  readonly addPathReceive: readonly FamilyName[];
  readonly extendedNextHop: boolean;
  /** Ours (RFC 9234). */
  readonly role?: string;
}

export interface RestartView {
  /** What the peer said of graceful restart; absent: nothing. */
  readonly peerRestartTime?: number;
  /** RFC 8538: its routes are kept over a NOTIFICATION too. */
  readonly peerNotification?: boolean;
  /** The peer says it has restarted. */
  readonly peerRestarted?: boolean;
  /** Those whose forwarding it has kept. */
  readonly peerFamilies?: readonly FamilyName[];
  /** RFC 9494. */
  readonly peerLongLived?: readonly { readonly family: FamilyName; readonly staleTime: number }[];
  /** Families in which it has said everything that it had to say at first. */
  readonly endOfRIB: readonly FamilyName[];
  /** Families with stale routes, and when they go at the latest. */
  readonly stale: readonly {
    readonly family: FamilyName;
    /** away, back, refresh or long-lived (RFC 9494). */
    readonly phase: string;
    readonly routes: number;
    readonly until?: string;
  }[];
}

export interface PeerView extends PeerSummary {
  readonly routerID: string;
  readonly timers: {
    readonly holdTime: number;
    readonly keepaliveTime?: number;
    readonly connectRetryTime: number;
    /** What runs, and in how many seconds it is due. */
    readonly running: readonly { readonly timer: string; readonly in: number }[];
  };
  /** In words; of our OPEN and the peer's. */
  readonly capabilities: { readonly sent: readonly string[]; readonly received: readonly string[] };
  /** Absent without a session. */
  readonly negotiated?: NegotiatedView;
  readonly localAddress?: string;
  readonly messages: { readonly received: MessageCounts; readonly sent: MessageCounts };
  readonly errors: readonly ErrorCount[];
  readonly notifications: readonly NotificationView[];
  readonly restart: RestartView;
  readonly limits: {
    readonly maxPrefixes?: { readonly limit: number; readonly action: string; readonly reached: boolean };
    readonly maxPrefixesOut?: number;
  };
  readonly policy: {
    readonly import: ChainView;
    readonly export: ChainView;
    readonly requiresPolicy: boolean;
  };
  readonly roles: readonly string[];
}

export interface ChainView {
  readonly filters: readonly string[];
  /** What becomes of a route that no filter decides. */
  readonly otherwise: "Accept" | "Reject";
}

export interface RouteView {
  readonly prefix: string;
  /** Who announced it; absent for a route of this speaker's own. */
  readonly peer?: string;
  /** RFC 7911, as the peer numbers it. */
  readonly pathID?: number;
  readonly best: boolean;
  /** With the best: the step of the decision process that chose it. */
  readonly decidedBy?: string;
  /** Kept from before the session was lost. */
  readonly stale?: true;
  /** Why it cannot be used. */
  readonly problem?: string;
  readonly attributes: AttributesView;
}

export interface CandidateView extends RouteView {
  /** Metric of the route to its next hop. */
  readonly nextHopMetric?: number;
  readonly gateways?: readonly string[];
  /** As it came, where import rules changed it. */
  readonly received?: AttributesView;
  /** Used together with the best (ECMP). */
  readonly multipath?: true;
}

export interface ExportView {
  readonly peer: string;
  readonly exported: boolean;
  /** Which rule kept it back, or let it go. */
  readonly why: string;
  /** As they go out. */
  readonly attributes?: AttributesView;
}

export interface Explanation {
  /** As asked for. */
  readonly asked: string;
  /** The prefix that answers for it; absent: there is none. */
  readonly prefix?: string;
  readonly candidates: readonly CandidateView[];
  /** The step that chose the best one, and what it means. */
  readonly decidedBy?: string;
  readonly decision?: string;
  /** What we want the kernel to have; absent: nothing. */
  readonly forwarding?: readonly string[];
  /** What the kernel has of it, in words; absent: not known here. */
  readonly kernel?: string;
  /** What services of the cluster have to do with it, in words; absent: nothing, or not known here. */
  readonly services?: readonly string[];
  readonly exports: readonly ExportView[];
}

/** How much there is in the routing tables. */
export interface RibSummary {
  readonly families: readonly {
    readonly family: FamilyName;
    readonly prefixes: number;
    readonly paths: number;
    /** Prefixes that wait to be decided. */
    readonly pending: number;
  }[];
  readonly attributeSets: number;
}

/** Which routes are wanted. */
export interface RouteQuery {
  readonly prefix?: string;
  /** With a prefix: it and everything inside it. */
  readonly longerPrefixes?: boolean;
  readonly family?: 4 | 6;
  /** What this peer announced; what this peer was told; the best only. */
  readonly from?: string;
  readonly to?: string;
  readonly best?: boolean;
}

/**
 * Work that takes longer than other things may wait: done step by step, each a small part of a millisecond, by whoever
 * wants the outcome. What changes between two steps may or may not be seen.
 */
export type Steps<T> = Generator<undefined, T, void>;

/** Takes all steps at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** What the socket and the command line ask; each answer is of the moment it is asked for. */
export interface Inspector {
  /** By its name, or by its address where that is one peer's only. */
  findPeer(nameOrAddress: string): string | undefined;
  peerNames(): readonly string[];
  peers(): Steps<readonly PeerSummary[]>;
  rib(): RibSummary;
  /** Undefined: there is no such peer. */
  peer(name: string): Steps<PeerView | undefined>;
  /**
   * In batches, each of which takes a small part of a millisecond and may be empty. What changes between two batches
   * may or may not be seen; throws a sentence for a query that cannot be answered.
   */
  routes(query: RouteQuery): Iterable<readonly RouteView[]>;
  /** Of an address or a prefix; throws a sentence for what is neither. */
  explain(asked: string): Explanation;
}

/** A question that cannot be answered as it was put: the message says why. */
export class BadQuery extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BadQuery";
  }
}
