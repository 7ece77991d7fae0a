import { useQuery } from "@tanstack/react-query";
import { BookMarked } from "lucide-react";
import { type KeyboardEvent, lazy, type ReactNode, Suspense, useId, useState } from "react";
import { classes } from "@/components/classes";
import { useTexts } from "@/i18n/texts";
import { type SavedPrompt, savedPrompts } from "./queries";
import { promptTexts } from "./texts";
import { askedName, matching, variablesOf } from "./variables";

const FillDialog = lazy(() => import("./FillDialog"));
const PromptLibrary = lazy(() => import("./PromptLibrary"));

const inView = (option: HTMLElement | null) => option?.scrollIntoView({ block: "nearest" });

interface PromptMenu {
  /** Stands above the field. */
  menu: ReactNode;
  /** Stand beside the form that has the field: what is sent in them is no message. */
  dialogs: ReactNode;
  /** What the field tells screen readers of the menu. */
  aria: { "aria-controls"?: string; "aria-activedescendant"?: string; "aria-autocomplete"?: "list" };
  /** Takes a key that is meant for the menu; tells whether it was. */
  onKeyDown: (event: KeyboardEvent) => boolean;
}

/** Offers the saved prompts where `text` is a slash and the beginning of a name; `onPick` takes the text of one. */
export function usePromptMenu(text: string, onPick: (text: string) => void): PromptMenu {
  const texts = useTexts(promptTexts);
  const id = useId();
  const asked = askedName(text);
  const { data = [] } = useQuery({ ...savedPrompts, enabled: asked !== null });
  const [at, setAt] = useState({ text, index: 0 });
  const [dismissed, setDismissed] = useState<string | null>(null);
  const [filling, setFilling] = useState<SavedPrompt | null>(null);
  const [manages, setManages] = useState(false);
  const found = asked === null || dismissed === text ? [] : matching(data, asked);
  const options = found.length > 0 || (asked === "" && dismissed !== text) ? [...found, null] : [];
  const index = at.text === text ? Math.min(at.index, options.length - 1) : 0;
  const pick = (prompt: SavedPrompt | null | undefined) => {
    setDismissed(text);
    if (prompt == null) {
      // The slash was for the menu alone.
      if (asked === "") onPick("");
      setManages(true);
    } else if (variablesOf(prompt.text).length > 0) setFilling(prompt);
    else onPick(prompt.text);
  };
  const onKeyDown = (event: KeyboardEvent): boolean => {
    if (options.length === 0 || event.nativeEvent.isComposing || event.shiftKey) return false;
    const step = { ArrowDown: 1, ArrowUp: options.length - 1 }[event.key];
    if (step !== undefined) setAt({ text, index: (index + step) % options.length });
    else if (event.key === "Enter" || event.key === "Tab") pick(options[index]);
    else if (event.key === "Escape") setDismissed(text);
    else return false;
    event.preventDefault();
    return true;
  };
  const menu = options.length > 0 && (
    <div id={id} role="listbox" aria-label={texts.matching} className="mb-1 max-h-56 overflow-y-auto">
      {options.map((prompt, place) => (
        // The field has the keys, and keeps them.
        <div
          key={prompt?.id ?? "library"}
          id={`${id}-${place}`}
          ref={place === index ? inView : undefined}
          role="option"
          aria-selected={place === index}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => pick(prompt)}
          className={classes(
            "flex min-h-8 cursor-default items-center gap-2 rounded-sm px-2 hover:bg-hover pointer-coarse:min-h-11",
            place === index && "bg-hover",
          )}
        >
          {prompt === null ? (
            <>
              <BookMarked aria-hidden className="size-4 text-muted" />
              {texts.manage}
            </>
          ) : (
            <>
              <span className="shrink-0 font-medium">/{prompt.name}</span>
              <span className="truncate text-sm text-muted">{prompt.text}</span>
            </>
          )}
        </div>
      ))}
    </div>
  );
  const dialogs = (
    <Suspense>
      {filling !== null && <FillDialog prompt={filling} onFill={onPick} onClose={() => setFilling(null)} />}
      {manages && <PromptLibrary onClose={() => setManages(false)} />}
    </Suspense>
  );
  const shown = {
    "aria-controls": id,
    "aria-activedescendant": `${id}-${index}`,
    "aria-autocomplete": "list",
  } as const;
  return { menu, dialogs, aria: options.length > 0 ? shown : {}, onKeyDown };
}
