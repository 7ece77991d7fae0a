import { Check } from "lucide-react";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { completionTexts } from "./texts";
import type { ScoredToken } from "./tokens";

/** What the model thought of where it took a token. */
export function Alternatives({ token }: { token: ScoredToken | undefined }) {
  const texts = useTexts(completionTexts);
  const format = useFormat();
  return (
    <section aria-live="polite" className="rounded-md border border-line bg-sunken p-3">
      <h2 className="text-sm font-semibold">{texts.alternatives}</h2>
      {token === undefined || token.top.length === 0 ? (
        <p className="mt-2 text-sm text-muted">{token === undefined ? texts.hint : texts.first}</p>
      ) : (
        <table className="mt-2 w-full table-fixed text-sm">
          <caption className="sr-only">{texts.alternatives}</caption>
          <thead className="sr-only">
            <tr>
              <th scope="col">{texts.token}</th>
              <th scope="col">{texts.probability}</th>
            </tr>
          </thead>
          <tbody>
            {token.top.map(({ text, logprob }) => (
              <tr key={text} className={text === token.text ? "font-semibold" : ""}>
                <td className="w-2/5 py-0.5 pr-2 font-mono">
                  <span className="inline-flex max-w-full items-center gap-1.5">
                    <span className="truncate rounded-sm border border-line bg-surface px-1 whitespace-pre">
                      {text.replaceAll("\n", "↵")}
                    </span>
                    {text === token.text && (
                      <Check aria-label={texts.taken} className="size-4 shrink-0 text-accent-ink" />
                    )}
                  </span>
                </td>
                <td className="py-0.5">
                  <span className="flex items-center gap-3">
                    <span aria-hidden className="h-1.5 flex-1 overflow-hidden rounded-full bg-line">
                      <span
                        className="block h-full rounded-full bg-accent"
                        style={{ width: `${Math.exp(logprob) * 100}%` }}
                      />
                    </span>
                    <span className="w-16 text-right tabular-nums">{format.number(Math.exp(logprob) * 100, 2)} %</span>
                  </span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
