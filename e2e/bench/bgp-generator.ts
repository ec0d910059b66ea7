/** The generator's process, in its own namespace: gets one job from the benchmark, does it, answers, ends. */
import type { Job } from "./bgp/job.ts";
import { Measurement } from "./bgp/measure.ts";

process.once("message", (job: Job) => {
  void new Measurement(job).run().then((outcome) => process.send?.(outcome, () => process.exit(0)));
});
// The benchmark is gone, however that came.
process.on("disconnect", () => process.exit(1));
