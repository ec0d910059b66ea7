/** Every device that can be asked for by name, ours first. */
import { BIRD } from "./bird.ts";
import type { Device } from "./device.ts";
import { FRR, FRR_DELAYS } from "./frr.ts";
import { GOBGP } from "./gobgp.ts";
import { RELAY, SINK } from "./nothing.ts";
import { OPENBGPD } from "./openbgpd.ts";
import { OVERLAND } from "./overland.ts";

export const DEVICES: readonly Device[] = [OVERLAND, BIRD, FRR, FRR_DELAYS, GOBGP, OPENBGPD, SINK, RELAY];
