import { describe, expect, it } from "@jest/globals";
import { table } from "./table.ts";

const columns = [
  { title: "NAME", cell: (row: (string | number | undefined)[]) => row[0] },
  { title: "COUNT", cell: (row: (string | number | undefined)[]) => row[1], right: true },
  { title: "WHY", cell: (row: (string | number | undefined)[]) => row[2] },
];

describe("a table", () => {
  it("has columns as wide as their widest cell, and no blanks at the end of a line", () => {
    const rows = [
      ["a-long-name", 5, "x"],
      ["b", 12345678, undefined],
      ["c", 0, ""],
    ];
    expect(table(columns, rows)).toBe(`NAME             COUNT   WHY
a-long-name          5   x
b             12345678   <none>
c                    0   <none>
`);
  });

  it("keeps a cell on one line, and colour takes no room", () => {
    expect(table(columns, [["\u001b[32mup\u001b[39m", 1, "two\nlines"]])).toBe(
      "NAME   COUNT   WHY\n\u001b[32mup\u001b[39m         1   two lines\n",
    );
  });

  it("with no row is its titles", () => {
    expect(table(columns, [])).toBe("NAME   COUNT   WHY\n");
  });
});
