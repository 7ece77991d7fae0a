import { useEffect, useMemo, useRef, useState } from "react";
import { type ColouredLine, highlight } from "./highlight";

/** A line as it is shown: plain, or in pieces, each with its class. */
export type Line = string | ColouredLine;

/** How often code that grows is coloured anew, and from which size on only when it is whole. */
const INTERVAL_MS = 300;
const GROWING_LIMIT = 20_000;
const LIMIT = 200_000;

/** Returns the lines of `code`; those that a worker has coloured by now in pieces. */
export function useHighlighted(code: string, language: string, growing: boolean): readonly Line[] {
  const [coloured, setColoured] = useState<{ code: string; lines: readonly ColouredLine[] } | null>(null);
  const wanted = language !== "" && code.length <= (growing ? GROWING_LIMIT : LIMIT);
  const askedAt = useRef(0);
  useEffect(() => {
    if (!wanted) return;
    let gone = false;
    const wait = growing ? Math.max(0, askedAt.current + INTERVAL_MS - performance.now()) : 0;
    const timer = setTimeout(() => {
      askedAt.current = performance.now();
      void highlight(code, language).then((lines) => {
        if (lines !== null && !gone) setColoured((now) => ({ code, lines: kept(now?.lines ?? [], lines) }));
      });
    }, wait);
    return () => {
      // A growing block's answer is of use although more has come in the meantime: only what waits is dropped.
      clearTimeout(timer);
      gone = !growing;
    };
  }, [code, language, growing, wanted]);
  return useMemo(() => {
    const plain = code.split("\n");
    if (coloured === null || !code.startsWith(coloured.code)) return plain;
    // The last coloured line may have grown since.
    const whole = coloured.code === code ? coloured.lines.length : coloured.lines.length - 1;
    return plain.map((line, index) => (index < whole ? (coloured.lines[index] ?? line) : line));
  }, [code, coloured]);
}

/** Returns `after` with the objects of `before` where a line has not changed, so that it is not shown anew. */
function kept(before: readonly ColouredLine[], after: readonly ColouredLine[]): readonly ColouredLine[] {
  return after.map((line, index) => {
    const old = before[index];
    const same =
      old?.length === line.length && old.every(([kind, text], at) => kind === line[at]?.[0] && text === line[at]?.[1]);
    return same && old !== undefined ? old : line;
  });
}
