import { expect, it } from "@jest/globals";
import { warmUp } from "./warm-up.ts";

it("every route of the warm-up goes all the way: three speakers, two tables of 12,000", () => {
  expect(warmUp()).toBe(3 * 2 * 12_000);
});
