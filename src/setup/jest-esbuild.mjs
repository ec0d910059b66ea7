// The TypeScript transformer for jest: esbuild strips the types, nothing else.
import { transformSync } from "esbuild";

export default {
  process(source, path, { supportsStaticESM }) {
    const { code, map } = transformSync(source, {
      loader: "ts",
      format: supportsStaticESM ? "esm" : "cjs",
      target: "node22",
      sourcefile: path,
      sourcemap: "external",
    });
    return { code, map };
  },
};
