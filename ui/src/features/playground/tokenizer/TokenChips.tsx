import { classes } from "@/components/classes";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { tokenizerTexts } from "./texts";

/** More would make the page slow, and nobody reads them. */
const MOST = 2000;
const GROUNDS = ["bg-accent-soft", "bg-success-soft", "bg-warning-soft", "bg-hover"] as const;

export interface TokenChipsProps {
  ids: readonly number[];
  pieces: readonly string[];
  withIds: boolean;
}

/** Each token in a colour other than its neighbours', with its number below. */
export function TokenChips({ ids, pieces, withIds }: TokenChipsProps) {
  const texts = useTexts(tokenizerTexts);
  const format = useFormat();
  if (ids.length === 0) return <p className="text-muted">{texts.none}</p>;
  return (
    <>
      <ol className="flex flex-wrap gap-x-1 gap-y-1.5 font-mono">
        {ids.slice(0, MOST).map((id, index) => {
          const piece = pieces[index] ?? "";
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: tokens have no name but their place
            <li key={index} aria-label={texts.label(piece, id)} className="min-w-0 text-center">
              <span
                className={classes(
                  "block rounded-sm px-1 whitespace-pre-wrap wrap-anywhere",
                  GROUNDS[index % GROUNDS.length],
                )}
              >
                {visible(piece)}
              </span>
              {withIds && <span className="block text-xs text-muted tabular-nums">{id}</span>}
            </li>
          );
        })}
      </ol>
      {ids.length > MOST && <p className="mt-3 text-muted">{texts.more(format.number(ids.length - MOST))}</p>}
    </>
  );
}

const visible = (piece: string): string =>
  piece.replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll(" ", "·") || " ";
