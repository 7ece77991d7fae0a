import { Download } from "lucide-react";
import { memo, useMemo, useState } from "react";
import { IconButton } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { saveFile } from "@/components/saveFile";
import { useTexts } from "@/i18n/texts";
import { endingOf } from "../attachments/languages";
import { chatTexts } from "../texts";
import { type Line, useHighlighted } from "./useHighlighted";

/** Lines that are shown together: of a long block only the last of them change as it grows. */
const CHUNK = 40;

/** Shows code with its language, and buttons that save and copy it. Colours come once a worker has found them. */
export const CodeBlock = memo(function CodeBlock({
  code,
  language,
  growing,
}: {
  code: string;
  language?: string | undefined;
  growing: boolean;
}) {
  const texts = useTexts(chatTexts);
  const [wraps, setWraps] = useState(false);
  const name = language?.trim().split(/[\s{:,]/)[0] ?? "";
  const lines = useHighlighted(code, name, growing);
  const chunks = useMemo(() => {
    const made: Line[][] = [];
    for (let at = 0; at < lines.length; at += CHUNK) made.push(lines.slice(at, at + CHUNK));
    return made;
  }, [lines]);
  return (
    <figure className="code-block" data-wraps={wraps || undefined}>
      <figcaption>
        <span className="flex-1">{name === "" ? texts.code : name}</span>
        <button type="button" aria-pressed={wraps} onClick={() => setWraps(!wraps)}>
          {texts.wrap}
        </button>
        <IconButton
          label={texts.saveCode}
          size="small"
          onClick={() => saveFile(new Blob([code], { type: "text/plain" }), `code.${endingOf(name)}`)}
        >
          <Download />
        </IconButton>
        <CopyButton text={code} label={texts.copyCode} />
      </figcaption>
      <pre tabIndex={0} aria-label={name === "" ? texts.code : name}>
        <code>
          {chunks.map((chunk, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines are only ever added at the end
            <Chunk key={index} lines={chunk} last={index === chunks.length - 1} />
          ))}
        </code>
      </pre>
    </figure>
  );
});

const Chunk = memo(
  function Chunk({ lines, last }: { lines: readonly Line[]; last: boolean }) {
    return lines.map((line, index) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: lines are only ever added at the end
      <CodeLine key={index} line={line} ends={!last || index < lines.length - 1} />
    ));
  },
  (before, after) =>
    before.last === after.last &&
    before.lines.length === after.lines.length &&
    before.lines.every((line, index) => line === after.lines[index]),
);

const CodeLine = memo(function CodeLine({ line, ends }: { line: Line; ends: boolean }) {
  return (
    <>
      {typeof line === "string"
        ? line
        : line.map(([kind, text], index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line's pieces have no other name
            <span key={index} className={kind}>
              {text}
            </span>
          ))}
      {ends && "\n"}
    </>
  );
});
