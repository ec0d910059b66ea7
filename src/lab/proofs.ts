/** The proofs: what a person would try by hand to believe that pods are on the datacenter's own network. */
import { endCapture, type Flow, judgeCapture, type RunningCapture, startCapture } from "./capture.ts";
import { type Lab, labName, labPods, nodeNamed, speakers, vmStations } from "./lab.ts";
import { ping } from "./ping.ts";
import { count } from "./progress.ts";
import type { PodRecord } from "./state.ts";
import { judgePings, judgeRequests, judgeWire, type Verdict } from "./verdict.ts";
import { throwIfInterrupted } from "./wait.ts";
import { fetchFrom, type Station, startGreeter } from "./web.ts";

const SPEAKERS = 8;
const PINGS = 3;

/** Runs one proof, tells its outcome and its time; a proof that throws did not hold. */
export async function prove(lab: Lab, name: string, attempt: () => Promise<Verdict>, failed: string[]): Promise<void> {
  throwIfInterrupted(lab.signal);
  const started = performance.now();
  const verdict = await attempt().catch((error: Error): Verdict => {
    if (lab.signal.aborted) throw error;
    return { held: false, detail: error.message };
  });
  const took = `${((performance.now() - started) / 1000).toFixed(2)} s`;
  lab.progress.proof(verdict.held, name, verdict.detail === "" ? took : `${verdict.detail}; ${took}`);
  if (!verdict.held) failed.push(name);
}

/** Reachability in both directions, by ping and HTTP, without address translation, and bare on the wire. */
export async function proveReachability(lab: Lab, failed: string[]): Promise<void> {
  const { plan } = lab;
  const pods = speakers(plan, labPods(lab), SPEAKERS);
  if (pods.length === 0) return;
  const vms = vmStations(plan);
  for (const station of [...vms, ...pods]) startGreeter(labName(lab), station);
  const far = pods.find((pod) => nodeNamed(plan, pod.node).rack !== 1);
  const wire = far === undefined ? undefined : await watchWire(lab, vms, pods[0], far);
  const all = count(pods.length, "pod");
  for (const vm of vms) {
    await prove(lab, `${vm.name} → ${all}, ping`, () => pingAll([vm], pods), failed);
    await prove(lab, `${all} → ${vm.name}, ping`, () => pingAll(pods, [vm]), failed);
    await prove(lab, `${vm.name} → ${all}, HTTP, seen as itself`, () => fetchAll(lab, [vm], pods), failed);
    await prove(lab, `${all} → ${vm.name}, HTTP, seen as themselves`, () => fetchAll(lab, pods, [vm]), failed);
  }
  await provePodToPod(lab, pods, failed);
  if (wire !== undefined) await prove(lab, `bare packets on the ${wire.where} link`, () => judgedWire(wire), failed);
}

async function provePodToPod(lab: Lab, pods: readonly PodRecord[], failed: string[]): Promise<void> {
  const all = labPods(lab);
  const rackOf = (pod: { node: string }) => nodeNamed(lab.plan, pod.node).rack;
  // The pod whose conversations the capture waits for.
  const [first] = pods;
  if (first === undefined) return;
  const places = [
    ["on one node", all.find((pod) => pod.node === first.node && pod.name !== first.name)],
    ["in one rack", all.find((pod) => pod.node !== first.node && rackOf(pod) === rackOf(first))],
    ["across racks", pods.find((pod) => rackOf(pod) !== rackOf(first))],
  ] as const;
  for (const [place, other] of places) {
    if (other === undefined) continue;
    await prove(
      lab,
      `pod → pod ${place}: ${first.name} → ${other.name}, ping`,
      () => pingAll([first], [other]),
      failed,
    );
    if (!pods.some((pod) => pod.name === other.name)) continue;
    await prove(lab, `pod → pod ${place}, HTTP, seen as itself`, () => fetchAll(lab, [first], [other]), failed);
  }
}

async function pingAll(from: readonly Station[], to: readonly Station[]): Promise<Verdict> {
  const pairs = from.flatMap((source) =>
    to.flatMap((target) => target.addresses.map((address) => ({ source, address }))),
  );
  const counts = pairs.map(async ({ source, address }) => {
    return { name: `${source.name} → ${address}`, count: await ping(source, address, PINGS) };
  });
  return judgePings(await Promise.all(counts), PINGS);
}

async function fetchAll(lab: Lab, from: readonly Station[], to: readonly Station[]): Promise<Verdict> {
  const pairs = from.flatMap((client) =>
    to.flatMap((server) => server.addresses.map((address) => ({ client, server, address }))),
  );
  const answers = pairs.map(async ({ client, server, address }) => ({
    name: `${client.name} → ${address}`,
    expected: client.addresses.find((own) => own.includes(":") === address.includes(":")) ?? "",
    answer: await fetchFrom(labName(lab), client, server, address),
  }));
  return judgeRequests(await Promise.all(answers));
}

interface Wire {
  readonly where: string;
  readonly capture: RunningCapture;
  readonly flows: readonly Flow[];
}

/** The cable between the first two ToRs carries what rack 1 and rack 2 say to each other. */
async function watchWire(
  lab: Lab,
  vms: readonly Station[],
  near: Station | undefined,
  far: Station,
): Promise<Wire | undefined> {
  const router = lab.plan.routers[0];
  const port = router?.fabric[0];
  if (router === undefined || port === undefined || near === undefined) return undefined;
  const where = { lab: labName(lab), netns: router.netns, interface: port.interface };
  const capture = await startCapture(where, lab.signal);
  const between = (a: Station, b: Station): Flow[] =>
    [0, 1].map((family) => ({
      name: `${a.name} ↔ ${b.name} (${a.addresses[family]}, ${b.addresses[family]})`,
      source: a.addresses[family] ?? "",
      destination: b.addresses[family] ?? "",
    }));
  const flows = [...vms.slice(0, 1).flatMap((vm) => between(vm, far)), ...between(near, far)];
  return { where: `${router.name}–${port.peer.name}`, capture, flows };
}

async function judgedWire(wire: Wire): Promise<Verdict> {
  return judgeWire(judgeCapture(await endCapture(wire.capture), wire.flows), wire.flows.length);
}
