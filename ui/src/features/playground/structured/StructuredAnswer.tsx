import { Check, CircleAlert } from "lucide-react";
import { CopyButton } from "@/components/CopyButton";
import { Spinner } from "@/components/Spinner";
import { useTexts } from "@/i18n/texts";
import { type Schema, tidied, violations } from "./schema";
import { structuredTexts } from "./texts";

/** `finish`: why the model stopped, null as long as it goes on. */
export interface Answer {
  text: string;
  schema: Schema;
  finish: string | null;
}

/** The answer, and whether it keeps to the schema that it was asked with. */
export function StructuredAnswer({ answer, busy }: { answer: Answer | null; busy: boolean }) {
  const texts = useTexts(structuredTexts);
  if (answer === null)
    return (
      <p className="rounded-md border border-dashed border-line-strong/60 p-8 text-center text-muted">{texts.none}</p>
    );
  return (
    <section aria-label={texts.result} className="rounded-md border border-line">
      <header className="flex h-9 items-center justify-between border-b border-line pr-1 pl-3">
        <h2 className="text-sm font-semibold">{texts.result}</h2>
        {busy ? <Spinner /> : <CopyButton text={tidied(answer.text)} />}
      </header>
      <pre tabIndex={0} className="max-h-96 overflow-auto p-3 font-mono text-sm whitespace-pre-wrap wrap-anywhere">
        {tidied(answer.text)}
      </pre>
      {answer.finish !== null && <Verdict answer={answer} />}
    </section>
  );
}

function Verdict({ answer }: { answer: Answer }) {
  const texts = useTexts(structuredTexts);
  const found = violations(answer.text, answer.schema);
  const isGood = found !== null && found.length === 0;
  return (
    <div
      role="status"
      className={`flex gap-2 border-t border-line px-3 py-2 ${isGood ? "text-success" : "text-danger"} [&_svg]:mt-0.5 [&_svg]:size-4 [&_svg]:shrink-0`}
    >
      {isGood ? <Check aria-hidden /> : <CircleAlert aria-hidden />}
      <div className="min-w-0">
        <p>{found === null ? texts.cut : isGood ? texts.valid : texts.invalid}</p>
        {found !== null && !isGood && (
          <ul className="list-disc pl-5 text-sm wrap-anywhere">
            {found.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}
