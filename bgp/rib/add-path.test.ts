import { describe, it } from "@jest/globals";
import { playMany } from "./group-testing.ts";

describe("add-path (RFC 7911)", () => {
  it("whatever comes and goes: everybody holds every path a plain model has, told no more often than it changed", () => {
    playMany(true, 150);
  });
});
