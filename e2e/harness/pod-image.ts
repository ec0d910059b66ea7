/** An OCI image of one static program, put together here: scenarios need no registry for it. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { must } from "./command.ts";

export const POD_IMAGE = "overland.test/pod:1";

const SOURCE = fileURLToPath(new URL("./pod-image/pod.c", import.meta.url));
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Gives the path of a tar file for `ctr images import`. The directory is made and may be thrown away later. */
export async function buildPodImage(directory: string): Promise<string> {
  const [files, layout, archive] = [`${directory}/rootfs`, `${directory}/layout`, `${directory}/pod-image.tar`];
  for (const path of [files, layout]) rmSync(path, { recursive: true, force: true });
  mkdirSync(`${layout}/blobs/sha256`, { recursive: true });
  mkdirSync(files, { recursive: true });
  await must(["gcc", "-Os", "-static", "-Wno-unused-result", "-o", `${files}/pod`, SOURCE]);
  await must(["tar", "-C", files, "--owner=0", "--group=0", "-cf", `${directory}/layer.tar`, "pod"]);
  const store = (content: Uint8Array) => {
    const digest = createHash("sha256").update(content).digest("hex");
    writeFileSync(`${layout}/blobs/sha256/${digest}`, content);
    return { digest: `sha256:${digest}`, size: content.length };
  };
  const document = (value: object) => store(Buffer.from(JSON.stringify(value)));
  const media = (kind: string) => `application/vnd.oci.image.${kind}`;
  const layer = store(readFileSync(`${directory}/layer.tar`));
  const config = document({
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: "linux",
    config: { Entrypoint: ["/pod"] },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const manifest = document({
    schemaVersion: 2,
    mediaType: media("manifest.v1+json"),
    config: { mediaType: media("config.v1+json"), ...config },
    layers: [{ mediaType: media("layer.v1.tar"), ...layer }],
  });
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        mediaType: media("manifest.v1+json"),
        ...manifest,
        annotations: { "io.containerd.image.name": POD_IMAGE, "org.opencontainers.image.ref.name": "1" },
      },
    ],
  };
  writeFileSync(`${layout}/index.json`, JSON.stringify(index));
  writeFileSync(`${layout}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await must(["tar", "-C", layout, "-cf", archive, "index.json", "oci-layout", "blobs"]);
  return archive;
}
