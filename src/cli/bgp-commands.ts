/** The words of `overland bgp …` and `overland replay`; what they do is loaded when they run. */
import { type Command, InvalidArgumentError } from "commander";
import { outputOption, withSocketOption } from "./options.ts";

export function addBgp(program: Command): void {
  const bgp = program
    .command("bgp")
    .description("look into the BGP speaker of this node's agent, or of `overland speaker` with --socket");
  addPeers(bgp);
  addRoutes(bgp);
  addOperations(bgp);
  addFiles(bgp);
  program
    .command("replay <FILE>")
    .summary("run a recording through the speaker, and show what it comes to")
    .description(
      "Run a recording of `overland bgp record` through the speaker and show peers and routes; - reads stdin.",
    )
    .addOption(outputOption(["json"]))
    .action(async (file, options) => (await import("./replay.ts")).replayFile(file, options));
}

function addPeers(bgp: Command): void {
  withSocketOption(bgp.command("peers"))
    .description("Show all peers: state, routes in and out, the last error in words.")
    .addOption(outputOption(["json"]))
    .action(async (options) => (await import("./bgp-peers.ts")).bgpPeers(options));
  withSocketOption(bgp.command("peer <PEER>"))
    .description("Show everything about one peer: timers, capabilities, counters, errors, restart, limits.")
    .addOption(outputOption(["json"]))
    .action(async (peer, options) => (await import("./bgp-peers.ts")).bgpPeer(peer, options));
}

function addRoutes(bgp: Command): void {
  withSocketOption(bgp.command("routes [PREFIX]"))
    .description("Show routes: all, those of one prefix, or those exchanged with one peer.")
    .option("--longer-prefixes", "with a PREFIX: all prefixes inside it too")
    .option("--in <PEER>", "what the peer announces")
    .option("--out <PEER>", "what the peer is told, as it is told")
    .option("--best", "the best of each prefix only")
    .option("-4", "IPv4 only")
    .option("-6", "IPv6 only")
    .addOption(outputOption(["json"]))
    .action(async (prefix, options) => (await import("./bgp-routes.ts")).bgpRoutes(prefix, options));
  withSocketOption(bgp.command("explain <PREFIX>"))
    .description("Say why a prefix or an address is routed as it is: every candidate, what decided, who is told.")
    .addOption(outputOption(["json"]))
    .action(async (prefix, options) => (await import("./bgp-explain.ts")).bgpExplain(prefix, options));
}

function addOperations(bgp: Command): void {
  withSocketOption(bgp.command("reset <PEER>"))
    .description("End the session; it starts again by itself.")
    .option("--soft", "exchange all routes again within the session, which stays up")
    .option("--message <TEXT>", "words for the other side (RFC 9003)")
    .addOption(outputOption(["json"]))
    .action(async (peer, options) => (await import("./bgp-operate.ts")).operate("reset", peer, options));
  withSocketOption(bgp.command("shutdown <PEER>"))
    .description("End the session and keep it down until `bgp enable`; a restart of the program enables it too.")
    .option("--message <TEXT>", "words for the other side (RFC 9003)")
    .addOption(outputOption(["json"]))
    .action(async (peer, options) => (await import("./bgp-operate.ts")).operate("shutdown", peer, options));
  withSocketOption(bgp.command("enable <PEER>"))
    .description("Let a peer up again that was shut down.")
    .addOption(outputOption(["json"]))
    .action(async (peer, options) => (await import("./bgp-operate.ts")).operate("enable", peer, options));
}

function addFiles(bgp: Command): void {
  withSocketOption(bgp.command("capture <PEER>"))
    .description("Show the messages of a peer, both ways, as they pass; Ctrl-C ends it.")
    .option("--count <N>", "end after so many messages", positive)
    .option("--duration <SECONDS>", "end after so long", positive)
    .option("-o, --output <json|FILE>", "json: an object a line; FILE.pcap: for tcpdump and Wireshark; else text")
    .action(async (peer, options) => (await import("./bgp-files.ts")).bgpCapture(peer, options));
  withSocketOption(bgp.command("record"))
    .description("Write down what the speaker was told last, for `overland replay`; passwords are left out.")
    .requiredOption("-o, --output <FILE>", "where to; - is standard output")
    .action(async (options) => (await import("./bgp-files.ts")).bgpRecord(options));
  withSocketOption(bgp.command("mrt"))
    .description("Dump all routes in MRT TABLE_DUMP_V2 (RFC 6396), as bgpdump reads it.")
    .requiredOption("-o, --output <FILE>", "where to; - is standard output")
    .action(async (options) => (await import("./bgp-files.ts")).bgpMrt(options));
}

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || number <= 0) throw new InvalidArgumentError("It must be a number over 0.");
  return number;
}
