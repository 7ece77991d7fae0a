import { useTexts } from "@/i18n/texts";
import { chatTexts } from "./texts";

/** What a new chat shows above the composer: a word of welcome, and ways to begin. */
export function EmptyChat({ model, onPick }: { model: string | null; onPick: (text: string) => void }) {
  const texts = useTexts(chatTexts);
  return (
    <div className="mx-auto w-full max-w-3xl px-4">
      <h1 className="text-center text-2xl font-semibold tracking-tight text-balance">{texts.welcome}</h1>
      <p className="mt-2 mb-6 text-center text-balance text-muted">
        {model === null ? texts.welcomeNoModel : texts.welcomeText}
      </p>
      <ul className="grid gap-2 sm:grid-cols-2">
        {texts.suggestions.map(({ title, prompt }) => (
          <li key={title}>
            <button
              type="button"
              onClick={() => onPick(prompt)}
              className="h-full w-full rounded-md border border-line px-3 py-2.5 text-left hover:border-line-strong hover:bg-sunken"
            >
              <span className="block font-medium">{title}</span>
              <span className="line-clamp-2 text-sm text-muted">{prompt}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
