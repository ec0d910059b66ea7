import { describe, expect, it } from "@jest/globals";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { isRoutable } from "./routable.ts";

function routable(text: string): boolean {
  const { address, length } = prefixOf(text);
  return isRoutable(address, length);
}

describe("a destination", () => {
  it.each(["0.0.0.0/0", "::/0", "10.244.0.0/26", "192.0.2.1/32", "240.0.0.0/8", "128.0.0.0/1", "fd00::/8", "2000::/3"])(
    "%s may be routed",
    (text) => expect(routable(text)).toBe(true),
  );

  it.each([
    "0.0.0.0/8",
    "127.0.0.1/32",
    "169.254.1.1/32",
    "224.0.0.0/4",
    "239.1.2.0/24",
    "255.255.255.255/32",
    "::1/128",
    "fe80::/64",
    "ff02::1/128",
  ])("%s may not", (text) => expect(routable(text)).toBe(false));
});
