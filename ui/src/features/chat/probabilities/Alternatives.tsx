import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import type { ChatLogprob } from "../wire";
import { probability, visible } from "./align";
import { probabilityTexts } from "./texts";

/** How likely a token was, and what else might have stood there. */
export function Alternatives({ entry }: { entry: ChatLogprob }) {
  const texts = useTexts(probabilityTexts);
  const format = useFormat();
  const listed = entry.top ?? [];
  const all = listed.some(({ token }) => token === entry.token) ? listed : [entry, ...listed];
  const percent = (logprob: number) => `${format.number(probability(logprob) * 100, 1)} %`;
  return (
    <table className="w-full border-separate border-spacing-y-0.5 text-sm tabular-nums">
      <caption className="sr-only">{texts.alternatives}</caption>
      <tbody>
        {all.map(({ token, logprob }) => (
          <tr key={token} className={token === entry.token ? "font-semibold" : "text-muted"}>
            <th scope="row" className="max-w-40 truncate pr-3 text-left font-mono font-normal">
              {visible(token)}
              {token === entry.token && <span className="sr-only"> ({texts.chosen})</span>}
            </th>
            <td className="w-24">
              <div className="h-1.5 rounded-full bg-hover">
                <div
                  className={`h-full rounded-full ${token === entry.token ? "bg-accent" : "bg-line-strong"}`}
                  style={{ width: `${probability(logprob) * 100}%` }}
                />
              </div>
            </td>
            <td className="w-16 text-right">{percent(logprob)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
