import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { installedModels } from "@/api/models";
import { FirstModel } from "@/features/models/FirstModel";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "./texts";

/** What a new chat shows above the composer: a word of welcome, and ways to begin. */
export function EmptyChat({ onPick }: { onPick: (text: string) => void }) {
  const texts = useTexts(chatTexts);
  const { data } = useQuery(installedModels);
  const lacksModel = data?.every(({ capabilities }) => !capabilities.includes("completion")) === true;
  return (
    <div className="mx-4 sm:mx-auto sm:w-[min(100%-32px,48rem)]">
      <h1 className="text-center text-2xl font-semibold tracking-tight text-balance">{texts.welcome}</h1>
      {lacksModel ? (
        <Lacking isEmpty={data?.length === 0} />
      ) : (
        <>
          <p className="mt-2 mb-6 text-center text-balance text-muted">{texts.welcomeText}</p>
          <Suggestions onPick={onPick} />
        </>
      )}
    </div>
  );
}

/** Says how to get a model that chats, or that one comes: a server fetches one by itself where it has none at all. */
function Lacking({ isEmpty }: { isEmpty: boolean }) {
  return isEmpty ? <FirstModel otherwise={<NoModel />} /> : <NoModel />;
}

function NoModel() {
  const texts = useTexts(chatTexts);
  return (
    <>
      <p className="mt-2 mb-6 text-center text-balance text-muted">{texts.welcomeNoModel}</p>
      <p className="text-center">
        <Link
          to="/ui/models"
          search={{ pull: "" }}
          className="inline-flex h-8 items-center rounded-md bg-accent px-3 font-medium text-on-accent hover:bg-accent-hover pointer-coarse:h-11"
        >
          {texts.getModel}
        </Link>
      </p>
    </>
  );
}

function Suggestions({ onPick }: { onPick: (text: string) => void }) {
  const texts = useTexts(chatTexts);
  return (
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
  );
}
