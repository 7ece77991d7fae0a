import type { Tokens } from "marked";
import { useRef, useState } from "react";
import { Button } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";
import { Inline } from "./Inline";

/** Cells that are shown at once: more of them hold the page up, and the others come when they are asked for. */
const MOST_CELLS = 2_000;

/** Shows a table, which scrolls sideways by itself; of a huge one its beginning, until all of it is asked for. */
export function TableView({ table, mostCells = MOST_CELLS }: { table: Tokens.Table; mostCells?: number }) {
  const texts = useTexts(chatTexts);
  const container = useRef<HTMLDivElement>(null);
  const [isWhole, setWhole] = useState(false);
  const room = Math.max(1, Math.floor(mostCells / table.header.length));
  const rows = isWhole ? table.rows : table.rows.slice(0, room);
  const hidden = table.rows.length - rows.length;
  const showAll = () => {
    setWhole(true);
    // The button goes, and the focus with it.
    container.current?.focus({ preventScroll: true });
  };
  return (
    <>
      <div ref={container} className="table-scroll" tabIndex={0}>
        <table>
          <thead>
            <tr>
              {table.header.map((cell, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: columns have no other name
                <th key={index} data-align={cell.align}>
                  <Inline tokens={cell.tokens} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows are only ever added at the end
              <tr key={index}>
                {row.map((cell, column) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: columns have no other name
                  <td key={column} data-align={cell.align}>
                    <Inline tokens={cell.tokens} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {hidden > 0 && (
        <Button size="small" onClick={showAll}>
          {texts.moreRows(hidden)}
        </Button>
      )}
    </>
  );
}
