import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "@jest/globals";
import { openLog } from "../telemetry/log.ts";
import { WatchHealth } from "./watch-health.ts";

it("says what is lost in one line, each reason once, and that it is back", async () => {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({ write: (chunk, _, done) => (lines.push(JSON.parse(String(chunk))), done()) });
  const health = new WatchHealth(openLog({ stream }));
  const [nodes, pools] = [health.of("nodes"), health.of("pools")];
  const said = async (count: number) => {
    for (const end = performance.now() + 10_000; lines.length < count && performance.now() < end; ) await sleep(5);
    return lines.slice(count - 1).map(({ level, what, problems }) => ({ level, what, problems }));
  };
  nodes("refused");
  pools("refused");
  nodes("refused");
  expect(await said(1)).toEqual([{ level: "warn", what: ["nodes", "pools"], problems: ["refused"] }]);
  nodes("refused");
  pools("not allowed");
  expect(await said(2)).toEqual([{ level: "warn", what: ["pools"], problems: ["not allowed"] }]);
  nodes(undefined);
  pools(undefined);
  nodes(undefined);
  expect(await said(3)).toEqual([{ level: "info", what: ["nodes", "pools"], problems: undefined }]);
  health.stop();
});
