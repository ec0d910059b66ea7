export default {
  projects: ["bgp", "ipam", "src"].map((folder) => ({
    displayName: folder,
    rootDir: `./${folder}`,
    testMatch: ["<rootDir>/**/*.test.ts"],
    extensionsToTreatAsEsm: [".ts"],
    transform: { "\\.ts$": new URL("./src/setup/jest-esbuild.mjs", import.meta.url).pathname },
  })),
  maxWorkers: 2,
};
