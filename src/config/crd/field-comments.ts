/** Words for `kubectl explain`: the comments in the schema's own source. */

const COMMENTED = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(\w+):/g;

/** What the comments of a source file say of each field; of a name that stands there twice, the first. */
export function fieldComments(source: string): (field: string) => string | undefined {
  const words = new Map<string, string>();
  for (const [, comment = "", field = ""] of source.matchAll(COMMENTED)) {
    const text = comment.replace(/\s*\n\s*\*\s*/g, " ").trim();
    if (!words.has(field)) words.set(field, text.replace(/^Ours\. /, ""));
  }
  return (field) => words.get(field);
}
