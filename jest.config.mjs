export default {
  projects: ["bgp", "ipam", "src"].map((folder) => ({
    displayName: folder,
    rootDir: `./${folder}`,
    testMatch: ["<rootDir>/**/*.test.ts"],
    extensionsToTreatAsEsm: [".ts"],
    transform: { "\\.ts$": new URL("./src/setup/jest-esbuild.mjs", import.meta.url).pathname },
  })),
  // Some run real daemons and dozens of processes, perhaps on a loaded machine.
  testTimeout: 60_000,
  maxWorkers: 2,
};
