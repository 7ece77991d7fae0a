import type { Key, ReactNode } from "react";
import { classes } from "./classes";

export interface Column<Row> {
  id: string;
  head: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Numbers stand at the end, in figures of one width. */
  numeric?: boolean;
  /** Left out below the width of a tablet. */
  wideOnly?: boolean;
  sort?: { direction: "ascending" | "descending" | "none"; onSort: () => void };
  className?: string;
}

export interface TableProps<Row> {
  /** What the rows are, for those who can't see them. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => Key;
  /** Shown where there are no rows. */
  empty?: ReactNode;
}

const ARROW = { ascending: "↑", descending: "↓", none: "" };

/** Rows and columns, which scroll sideways where they don't fit. */
export function Table<Row>({ caption, columns, rows, rowKey, empty }: TableProps<Row>) {
  if (rows.length === 0 && empty !== undefined) return empty;
  const place = (column: Column<Row>) =>
    classes(
      "px-3 py-2 align-middle",
      column.numeric === true ? "text-right tabular-nums" : "text-left",
      column.wideOnly === true && "max-md:hidden",
      column.className,
    );
  return (
    <div className="overflow-x-auto rounded-md border border-line" tabIndex={0}>
      <table className="w-full border-collapse">
        <caption className="sr-only">{caption}</caption>
        <thead className="bg-sunken text-sm text-muted">
          <tr>
            {columns.map((column) => (
              <th
                key={column.id}
                scope="col"
                className={classes(place(column), "font-medium whitespace-nowrap")}
                {...(column.sort === undefined ? {} : { "aria-sort": column.sort.direction })}
              >
                {column.sort === undefined ? (
                  column.head
                ) : (
                  <button type="button" className="rounded-sm font-medium hover:text-ink" onClick={column.sort.onSort}>
                    {column.head} <span aria-hidden>{ARROW[column.sort.direction]}</span>
                  </button>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)} className="border-t border-line hover:bg-sunken">
              {columns.map((column) => (
                <td key={column.id} className={place(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
