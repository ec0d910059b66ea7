/** A Dockerfile read into stages: as much of its language as ours uses; anything else is a fault. */

export interface Instruction {
  readonly word: "RUN" | "COPY" | "WORKDIR" | "ENV" | "ENTRYPOINT" | "USER";
  /** What stands behind the word; of COPY without its flags. */
  readonly text: string;
  /** COPY --from=. */
  readonly from?: string;
}

export interface Stage {
  readonly image: string;
  /** AS. */
  readonly name?: string;
  readonly instructions: readonly Instruction[];
}

export function readDockerfile(text: string): Stage[] {
  const args = new Map<string, string>();
  const stages: { image: string; name?: string; instructions: Instruction[] }[] = [];
  for (const line of logicalLines(text)) {
    const [, word = "", rest = ""] = /^(\S+)\s+(.*)$/s.exec(line) ?? [];
    if (word === "ARG") {
      const [name = "", value = ""] = rest.split("=");
      args.set(name, value);
    } else if (word === "FROM") {
      const [image = "", as, name] = rest.split(/\s+/);
      const filled = image.replace(/\$\{(\w+)\}/g, (_, variable: string) => args.get(variable) ?? "");
      stages.push({ image: filled, ...(as === "AS" && name !== undefined && { name }), instructions: [] });
    } else {
      stages.at(-1)?.instructions.push(instruction(word, rest));
    }
  }
  return stages;
}

const WORDS = ["RUN", "COPY", "WORKDIR", "ENV", "ENTRYPOINT", "USER"];

function instruction(word: string, rest: string): Instruction {
  if (!WORDS.includes(word)) throw new Error(`${word} is not known to this reader`);
  const flags = /^(?:--from=(\S+)\s+)?(?!--)(.*)$/s.exec(rest);
  if (flags === null) throw new Error(`${word} ${rest}: a flag that is not known to this reader`);
  const [, from, text = ""] = flags;
  return { word: word as Instruction["word"], text, ...(from !== undefined && { from }) };
}

function logicalLines(text: string): string[] {
  const kept = text.split("\n").filter((line) => !/^\s*(#|$)/.test(line));
  return kept
    .join("\n")
    .replace(/\\\n\s*/g, "")
    .split("\n");
}
