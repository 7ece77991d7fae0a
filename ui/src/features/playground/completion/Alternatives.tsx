import { Badge } from "@/components/Badge";
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
      <h3 className="text-sm font-semibold">{texts.alternatives}</h3>
      {token === undefined || token.top.length === 0 ? (
        <p className="mt-2 text-sm text-muted">{token === undefined ? texts.choose : texts.first}</p>
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
              <tr key={text}>
                <td className="truncate py-0.5 pr-2 font-mono">
                  <span className="rounded-sm border border-line bg-surface px-1 whitespace-pre">
                    {text.replaceAll("\n", "↵")}
                  </span>{" "}
                  {text === token.text && <Badge tone="accent">{texts.taken}</Badge>}
                </td>
                <td className="relative w-2/5 py-0.5 text-right tabular-nums">
                  <span
                    aria-hidden
                    className="absolute inset-y-1 right-0 rounded-sm bg-accent-soft"
                    style={{ width: `${Math.exp(logprob) * 100}%` }}
                  />
                  <span className="relative px-1">{format.number(Math.exp(logprob) * 100, 2)} %</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
