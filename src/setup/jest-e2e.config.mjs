/** End-to-end scenarios: black boxes on the built program, one after the other because they share the machine. */
import { ROOT } from "./root.mjs";

export default {
  displayName: "e2e",
  rootDir: `${ROOT}/e2e`,
  testMatch: ["<rootDir>/**/*.test.ts"],
  extensionsToTreatAsEsm: [".ts"],
  transform: { "\\.ts$": `${ROOT}/src/setup/jest-esbuild.mjs` },
  testTimeout: 120_000,
  maxWorkers: 1,
};
