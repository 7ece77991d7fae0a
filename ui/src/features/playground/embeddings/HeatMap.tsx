import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { embeddingsTexts } from "./texts";

/** The share of the accent in the strongest cell: ink stays readable on it in both themes. */
const STRONGEST = 60;

/** A matrix as a table whose cells are coloured by their values. */
export function HeatMap({ texts: inputs, matrix }: { texts: readonly string[]; matrix: readonly number[][] }) {
  const texts = useTexts(embeddingsTexts);
  const format = useFormat();
  const least = Math.min(...matrix.flat());
  const share = (value: number) => (least >= 1 ? STRONGEST : (STRONGEST * (value - least)) / (1 - least));
  const colour = (value: number) => `color-mix(in srgb, var(--accent) ${share(value).toFixed(1)}%, var(--surface))`;
  return (
    <div
      className="max-w-full self-start overflow-x-auto rounded-md border border-line pr-1.5 pb-1.5"
      tabIndex={0}
      role="region"
      aria-label={texts.matrix}
    >
      <table className="border-collapse text-sm">
        <caption className="sr-only">{texts.matrix}</caption>
        <thead>
          <tr>
            <td />
            {inputs.map((text, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: texts may be the same
              <th key={index} scope="col" title={text} className="p-1.5 font-medium text-muted tabular-nums">
                <span className="sr-only">{text}</span>
                <span aria-hidden>{index + 1}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {matrix.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            <tr key={index}>
              <th
                scope="row"
                className="sticky left-0 max-w-72 truncate bg-surface px-3 py-1.5 text-left font-normal max-md:max-w-36"
              >
                <span aria-hidden className="mr-2 font-medium text-muted tabular-nums">
                  {index + 1}
                </span>
                {inputs[index]}
              </th>
              {row.map((value, column) => (
                <td
                  // biome-ignore lint/suspicious/noArrayIndexKey: as above
                  key={column}
                  className="min-w-14 border border-surface p-1.5 text-center text-ink tabular-nums"
                  style={{ backgroundColor: colour(value) }}
                >
                  {format.number(value, 2)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
