/** What the agent's settings may be, in the shape of its file. */
import { z } from "zod";
import { isUnspecified, parseAddress } from "../../../ipam/net/address.ts";
import { readDetectionMethod } from "../detection-method.ts";
import { parseDuration } from "../duration.ts";
import { readPeerAddress } from "../peer-address.ts";
import { asNumber, name, nodeAddressFault, text } from "./fields.ts";
import { shown } from "./problem.ts";

// sockaddr_un has 108 octets, the last of them zero.
const socketPath = text((value) => {
  if (!value.startsWith("/")) return `${shown(value)} is not an absolute path`;
  const length = new TextEncoder().encode(value).length;
  return length > 107 ? `${shown(value)} is ${length} octets long; a unix socket's path has at most 107` : undefined;
});

const directory = text((value) => (value.startsWith("/") ? undefined : `${shown(value)} is not an absolute path`));

const file = text((value) => (value === "" ? "is empty; give a path" : undefined));

// An RFC 1123 label, as namespaces of Kubernetes are named.
const namespaceName = text((value) =>
  /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value) ? undefined : `${shown(value)} is not a namespace's name`,
);

const listenAddress = text((value) => {
  if (value === "off") return undefined;
  const wanted = `${shown(value)} is not an address and a port such as 127.0.0.1:9179 or [::1]:9179, nor "off"`;
  return readPeerAddress(value)?.port === undefined ? wanted : undefined;
});

const endpoint = text((value) => {
  const wanted = `${shown(value)} is not an etcd endpoint such as http://10.1.1.1:2379`;
  if (!/^https?:\/\/[^/]+\/?$/.test(value) || !URL.canParse(value)) return wanted;
  const url = new URL(value);
  return url.username === "" && url.password === ""
    ? undefined
    : "holds a user name; use etcd.username and etcd.password";
});

/** Upper bound: a day. */
const time = text((value) => {
  const ms = parseDuration(value);
  if (ms === undefined) return `${shown(value)} is not a duration such as 60s or 5m`;
  return ms >= 1000 && ms <= 86_400_000 ? undefined : `${shown(value)} is out of range; from 1s to 24h is allowed`;
});

const detectionMethod = text((value) => {
  const method = readDetectionMethod(value);
  return "error" in method ? `${shown(value)}: ${method.error}` : undefined;
});

const routerID = text((value) => {
  const octets = parseAddress(value);
  if (value === "hash" || (octets?.length === 4 && !isUnspecified(octets))) return undefined;
  return `${shown(value)} is not a router ID: four octets such as 10.0.0.1, or "hash" to make one of the node's name`;
});

export const agentSettingsSchema = z.strictObject({
  nodeName: name.exactOptional(),
  socket: socketPath.exactOptional(),
  stateDir: directory.exactOptional(),
  http: listenAddress.exactOptional(),
  etcd: z
    .strictObject({
      endpoints: z.array(endpoint).min(1).exactOptional(),
      caCertFile: file.exactOptional(),
      certFile: file.exactOptional(),
      keyFile: file.exactOptional(),
      username: z.string().exactOptional(),
      password: z.string().exactOptional(),
    })
    .exactOptional(),
  kubernetes: z
    .strictObject({ kubeconfig: file.exactOptional(), namespace: namespaceName.exactOptional() })
    .exactOptional(),
  labels: z.record(z.string(), z.string()).exactOptional(),
  ipv4Address: addressSource(4).exactOptional(),
  ipv6Address: addressSource(6).exactOptional(),
  ipv4AutodetectionMethod: detectionMethod.exactOptional(),
  ipv6AutodetectionMethod: detectionMethod.exactOptional(),
  routerID: routerID.exactOptional(),
  asNumber: asNumber.exactOptional(),
  reclaim: z
    .strictObject({ grace: time.exactOptional(), interval: time.exactOptional(), blockIdle: time.exactOptional() })
    .exactOptional(),
  cni: z
    .strictObject({
      confDir: directory.exactOptional(),
      binDir: directory.exactOptional(),
      template: file.exactOptional(),
    })
    .exactOptional(),
  log: z
    .strictObject({ level: z.enum(["debug", "info", "warn", "error"]).exactOptional(), file: file.exactOptional() })
    .exactOptional(),
});

export type AgentSettings = z.output<typeof agentSettingsSchema>;

function addressSource(family: 4 | 6) {
  return text((value) => {
    if (value === "autodetect" || value === "none") return undefined;
    const fault = nodeAddressFault(value, family);
    return fault === undefined ? undefined : `${fault}; nor "autodetect" or "none"`;
  });
}
