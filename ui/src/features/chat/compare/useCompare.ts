import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import type { ChatController } from "../controller";
import { withSearch } from "../search";
import { type Comparison, comparisonOf } from "./comparison";

export interface Compare {
  /** The model that answers beside the chat's; null for none. */
  second: string | null;
  setSecond: (model: string | null) => void;
  /** What is shown side by side; null for one answer. */
  shown: Comparison | null;
  /** What could be shown so. */
  possible: Comparison | null;
  /** Goes on with the answer `id`, and shows it alone. */
  choose: (id: string) => void;
  showAgain: () => void;
  /** Keeps the answer `id` on its side while the other shows another. */
  keepBeside: (id: string) => void;
}

/** Which second model answers, and whose answers stand side by side. The URL keeps both. */
export function useCompare({ tree, messages, model, actions }: ChatController): Compare {
  const search = useSearch({ strict: false });
  const navigate = useNavigate();
  const go = useCallback(
    (change: Parameters<typeof withSearch>[1]) =>
      void navigate({ to: ".", search: (now) => withSearch(now, change), replace: true }),
    [navigate],
  );
  const possible = comparisonOf(tree, messages, search.beside);
  const asked = search.second ?? null;
  const second = asked === model ? null : asked;
  return {
    second,
    setSecond: (chosen) => go({ second: chosen ?? undefined }),
    shown: asked !== null && possible !== null && possible.to !== search.chosen ? possible : null,
    possible,
    choose: (id) => {
      actions.showBranch(id);
      go({ chosen: possible?.to });
    },
    showAgain: () => go({ chosen: undefined, second: asked ?? possible?.answers[1].model ?? undefined }),
    keepBeside: useCallback((id) => go({ beside: id }), [go]),
  };
}
