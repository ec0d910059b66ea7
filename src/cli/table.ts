/** Tables as kubectl prints them: columns as wide as their widest cell, three spaces between, no lines. */
import { stripVTControlCharacters } from "node:util";

export interface Column<Row> {
  readonly title: string;
  cell(row: Row): string | number | undefined;
  /** Numbers read better at the right. */
  readonly right?: boolean;
}

const GAP = "   ";

/** Text with a line for the titles and one for each row; an empty cell is `<none>`. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map((column) => cellText(column, row))),
  ];
  const widths = columns.map((_, i) => Math.max(...lines.map((cells) => width(cells[i] as string))));
  return lines.map((cells) => `${lineOf(columns, cells, widths)}\n`).join("");
}

function lineOf<Row>(columns: readonly Column<Row>[], cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map((cell, i) => {
    const space = " ".repeat((widths[i] as number) - width(cell));
    return (columns[i] as Column<Row>).right === true ? space + cell : cell + space;
  });
  return padded.join(GAP).trimEnd();
}

function cellText<Row>(column: Column<Row>, row: Row): string {
  const cell = column.cell(row);
  if (cell === undefined || cell === "") return "<none>";
  // A cell is one line, whatever somebody put into a description.
  return String(cell).replaceAll(/\s+/g, " ");
}

// Colour takes no room. Names are ASCII; anything else counts by code point, which is near enough.
function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
