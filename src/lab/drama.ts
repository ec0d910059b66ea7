/**
 * The small drama: an agent dies and nobody notices; it comes back and knows everything; a node's cable is cut and its
 * routes leave the fabric in the time the hold timer promises.
 */
import { HOLD_TIME_SECONDS } from "./addressing.ts";
import { agentRecord, agentRuns, agentStatus, isEstablished, startAgent } from "./agents.ts";
import { must } from "./command.ts";
import { type Lab, labName, labPods, speakers, vmStations } from "./lab.ts";
import { endPing, type PingStream, ping, startPing } from "./ping.ts";
import { addPod, deletePod } from "./pods.ts";
import { kill } from "./processes.ts";
import { seconds } from "./progress.ts";
import { prove } from "./proofs.ts";
import { agentSettled, awaitRoutes, missingRoutes, timeUntilGone } from "./settle.ts";
import type { PodRecord } from "./state.ts";
import { type NodePlan, podName, type RouterPlan } from "./topology.ts";
import { judgeMemory, judgeStreams, type NodeMemory, type Verdict } from "./verdict.ts";
import { pause, until } from "./wait.ts";
import type { Station } from "./web.ts";

/** How long an agent stays dead: long enough that every neighbour has noticed. */
const DEAD_MS = 2500;
const HEAL_TIMEOUT_MS = 45_000;
/**
 * A hold timer runs out at most its time after the last message; what lies above is reading routes and spreading the
 * news.
 */
const LEAVE_TIMEOUT_MS = (HOLD_TIME_SECONDS + 4) * 1000;

/** An agent behind each kind of router is killed and restarted, then one node is cut off and healed. */
export async function playDrama(lab: Lab, failed: string[]): Promise<void> {
  const { plan } = lab;
  if (labPods(lab).length === 0) return;
  for (const daemon of ["bird", "frr"] as const) {
    const router = plan.routers.find((one) => one.daemon === daemon);
    const node = plan.nodes.find((one) => one.router === router?.name);
    if (router !== undefined && node !== undefined) await killAndRestart(lab, router, node, failed);
  }
  const node = plan.nodes.findLast((one) => one.rack === 1);
  if (node !== undefined) await cutAndHeal(lab, node, failed);
}

async function killAndRestart(lab: Lab, router: RouterPlan, node: NodePlan, failed: string[]): Promise<void> {
  const { progress, signal } = lab;
  const name = labName(lab);
  const daemon = router.daemon === "bird" ? "BIRD" : "FRR";
  progress.act(`The agent of ${node.name}, behind ${router.name} (${daemon}), is killed with -9`);
  const before = await memoryOf(lab, node);
  const streams = trafficTo(lab, node);
  await pause(500, signal);
  const record = agentRecord(name, node.name);
  if (record !== undefined) kill(record, "SIGKILL");
  await until(async () => (agentRuns(name, node.name) ? undefined : true), {
    what: "the agent dies",
    timeoutMs: 2000,
    signal,
  });
  progress.say("killed", `agent ${node.name}, pid ${record?.pid}; a ping every 40 ms goes on to its pods`);
  await pause(DEAD_MS, signal);
  await prove(
    lab,
    `${seconds(DEAD_MS)} without agent: every ToR keeps its routes`,
    () => routesKept(lab, before.blocks),
    failed,
  );
  startAgent(lab.plan, node, lab.program);
  const started = performance.now();
  await prove(
    lab,
    `agent ${node.name} restarted: nothing lost`,
    async () => {
      await agentSettled(lab, node);
      progress.say("back", `agent ${node.name} ready with all sessions after ${seconds(performance.now() - started)}`);
      await Promise.all(lab.plan.routers.map((one) => awaitRoutes(lab, one, before.blocks, 5000)));
      return judgeMemory(before, await memoryOf(lab, node));
    },
    failed,
  );
  await prove(lab, "a new pod gets an address nobody has", () => freshPod(lab, node), failed);
  await prove(lab, "traffic went on all the time", () => judgeTraffic(streams), failed);
}

/** From the VM of every rack and from a pod on another node, both families, to the node's first pod. */
function trafficTo(lab: Lab, node: NodePlan): PingStream[] {
  const target = labPods(lab).find((pod) => pod.node === node.name);
  if (target === undefined) return [];
  const other = speakers(lab.plan, labPods(lab), lab.plan.nodes.length).find((pod) => pod.node !== node.name);
  const sources: Station[] = [...vmStations(lab.plan).slice(0, 2), ...(other === undefined ? [] : [other])];
  return sources.flatMap((from) => target.addresses.map((address) => startPing(labName(lab), from, target, address)));
}

async function judgeTraffic(streams: readonly PingStream[]): Promise<Verdict> {
  const counts = streams.map(async (stream) => ({ name: stream.name, count: await endPing(stream) }));
  return judgeStreams(await Promise.all(counts), DEAD_MS / 40);
}

async function memoryOf(lab: Lab, node: NodePlan): Promise<NodeMemory> {
  const status = await agentStatus(labName(lab), node.name);
  const [vm] = vmStations(lab.plan);
  const pods = labPods(lab).filter((pod) => pod.node === node.name);
  const answering = pods.flatMap((pod) => pod.addresses.map((address) => answers(vm, address)));
  const sessions = status.peers.filter(isEstablished).length;
  return { blocks: status.blocks, pods: (await Promise.all(answering)).flat(), sessions };
}

async function answers(from: Station | undefined, address: string): Promise<string[]> {
  return from !== undefined && (await ping(from, address, 1)).received === 1 ? [address] : [];
}

async function routesKept(lab: Lab, blocks: readonly string[]): Promise<Verdict> {
  const lost = await Promise.all(
    lab.plan.routers.map(async (router) => {
      const missing = await missingRoutes(lab, router, blocks);
      return missing.length === 0 ? [] : [`${router.name} has lost ${missing.join(" ")}`];
    }),
  );
  const held = lost.flat().length === 0;
  return { held, detail: held ? `graceful restart, ${blocks.join(" ")}` : lost.flat().join(", ") };
}

/** An agent that forgot which addresses are taken would hand one of them out again now. */
async function freshPod(lab: Lab, node: NodePlan): Promise<Verdict> {
  const taken = new Set(labPods(lab).flatMap((pod) => pod.addresses));
  const { pod } = await addPod(lab.plan, node, podName(node.name, lab.plan.size.podsPerNode + 1));
  const twice = pod.addresses.filter((address) => taken.has(address));
  const [vm] = vmStations(lab.plan);
  const reached = (await Promise.all(pod.addresses.map((address) => answers(vm, address)))).flat();
  await deletePod(lab.plan, node, pod);
  if (twice.length > 0) return { held: false, detail: `${twice.join(" ")} is in use` };
  return { held: reached.length === 2, detail: `${pod.addresses.join(" ")}, ${reached.length} of 2 answer` };
}

async function cutAndHeal(lab: Lab, node: NodePlan, failed: string[]): Promise<void> {
  const { plan, progress } = lab;
  progress.act(`The cable of ${node.name} is cut`);
  const { blocks } = await agentStatus(labName(lab), node.name);
  const [vm] = vmStations(plan);
  const bystander = labPods(lab).find((pod) => pod.node !== node.name);
  const streams = vm === undefined ? [] : pingBystander(lab, vm, bystander);
  await setCable(plan.routers, node, "down");
  progress.say("cut", `${node.name}; its hold time is ${HOLD_TIME_SECONDS} s`);
  await prove(
    lab,
    `the routes of ${node.name} leave every ToR`,
    async () => {
      const left = await Promise.all(
        plan.routers.map((router) => timeUntilGone(lab, router, blocks, LEAVE_TIMEOUT_MS)),
      );
      return judgeTimes(plan.routers, left, "after");
    },
    failed,
  );
  await setCable(plan.routers, node, "up");
  const healed = performance.now();
  await prove(
    lab,
    `the cable is back, so are the routes of ${node.name}`,
    async () => {
      const back = plan.routers.map(async (router) => {
        await awaitRoutes(lab, router, blocks, HEAL_TIMEOUT_MS);
        return performance.now() - healed;
      });
      return judgeTimes(plan.routers, await Promise.all(back), "after");
    },
    failed,
  );
  await prove(lab, `${node.name} is whole again`, () => podsAnswer(lab, node), failed);
  if (streams.length === 0) return;
  await prove(
    lab,
    "nobody else noticed",
    async () => {
      const counts = streams.map(async (stream) => ({ name: stream.name, count: await endPing(stream) }));
      return judgeStreams(await Promise.all(counts), 50);
    },
    failed,
  );
}

const pingBystander = (lab: Lab, vm: Station, pod: PodRecord | undefined): PingStream[] =>
  pod === undefined ? [] : pod.addresses.map((address) => startPing(labName(lab), vm, pod, address));

async function podsAnswer(lab: Lab, node: NodePlan): Promise<Verdict> {
  await agentSettled(lab, node);
  const [vm] = vmStations(lab.plan);
  const wanted = labPods(lab)
    .filter((pod) => pod.node === node.name)
    .flatMap((pod) => pod.addresses);
  const reached = (await Promise.all(wanted.map((address) => answers(vm, address)))).flat();
  return {
    held: reached.length === wanted.length,
    detail: `${reached.length} of ${wanted.length} pod addresses answer`,
  };
}

function judgeTimes(routers: readonly RouterPlan[], times: readonly (number | undefined)[], word: string): Verdict {
  const told = routers.map((router, index) => {
    const time = times[index];
    return time === undefined ? `${router.name}: still there` : `${router.name} ${word} ${seconds(time)}`;
  });
  return { held: times.every((time) => time !== undefined), detail: told.join(", ") };
}

async function setCable(routers: readonly RouterPlan[], node: NodePlan, state: "up" | "down"): Promise<void> {
  const router = routers.find((one) => one.name === node.router);
  await must(["ip", "-n", router?.netns ?? "", "link", "set", node.cable, state]);
}
