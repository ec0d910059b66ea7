/** Small damage to a message, most of it where it hurts: lengths, flags, types, borders. */
import { HEADER_LENGTH } from "../wire/codes.ts";
import { putU16 } from "../wire/octets.ts";

const TELLING = [0, 1, 2, 3, 4, 5, 14, 15, 16, 23, 24, 32, 33, 64, 127, 128, 129, 192, 254, 255];

/** A damaged copy of a whole message; mostly with its own length right again, so that it gets past the header. */
export function mutated(message: Uint8Array, random: () => number): Uint8Array {
  const below = (most: number) => Math.floor(random() * most);
  let octets = Array.from(message);
  for (let left = 1 + below(3); left > 0; left--) {
    // The header is of little interest, and hides what is behind it.
    const at =
      octets.length <= HEADER_LENGTH || below(20) === 0 ? below(19) : HEADER_LENGTH + below(octets.length - 19);
    switch (below(7)) {
      case 0:
        octets[at] = (octets[at] ?? 0) ^ (1 << below(8));
        break;
      case 1:
      case 2:
        octets[at] = TELLING[below(TELLING.length)] as number;
        break;
      case 3:
        octets[at] = (octets[at] ?? 0) + (below(2) === 0 ? 1 : 255);
        break;
      case 4:
        octets.splice(at, 1 + below(4));
        break;
      case 5:
        octets.splice(at, 0, ...Array.from({ length: 1 + below(4) }, () => below(256)));
        break;
      default: {
        // A piece of it once more: an attribute or a prefix, with luck.
        const length = 1 + below(24);
        octets.splice(at, 0, ...octets.slice(at, at + length));
      }
    }
    if (octets.length > 65_535) octets = octets.slice(0, 65_535);
  }
  const result = Uint8Array.from(octets, (octet) => octet & 0xff);
  if (result.length >= HEADER_LENGTH && below(10) > 0) putU16(result, 16, result.length);
  if (result.length >= HEADER_LENGTH + 4 && result[18] === 2 && below(2) === 0) mendAttributeLength(result);
  return result;
}

/** Makes the attributes of an UPDATE end where the message does, or where they did. */
function mendAttributeLength(message: Uint8Array): void {
  const withdrawn = ((message[19] as number) << 8) | (message[20] as number);
  const at = HEADER_LENGTH + 2 + withdrawn;
  if (at + 2 <= message.length) putU16(message, at, message.length - at - 2);
}
