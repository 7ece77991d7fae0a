import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { Tabs } from "@/components/Tabs";
import { useTexts } from "@/i18n/texts";
import { playgroundTexts } from "./texts";

const PANELS = {
  completion: lazy(() => import("./completion/CompletionPanel")),
  structured: lazy(() => import("./structured/StructuredPanel")),
  embeddings: lazy(() => import("./embeddings/EmbeddingsPanel")),
  rerank: lazy(() => import("./rerank/RerankPanel")),
  tokenizer: lazy(() => import("./tokenizer/TokenizerPanel")),
};
type Tool = keyof typeof PANELS;
const TOOLS = Object.keys(PANELS) as Tool[];

/** Tools that ask one thing of a model each, and show what the chat does not. */
export function PlaygroundPage() {
  const texts = useTexts(playgroundTexts);
  const search = useSearch({ from: "/ui/playground" });
  const navigate = useNavigate({ from: "/ui/playground" });
  const tool = TOOLS.find((each) => each === search.tool) ?? "completion";
  return (
    <Page title={texts.title}>
      <Tabs
        label={texts.tools}
        value={tool}
        onChange={(value) => void navigate({ search: (before) => ({ ...before, tool: value }), replace: true })}
        tabs={TOOLS.map((value) => {
          const Panel = PANELS[value];
          const content = (
            <>
              <p className="mb-4 max-w-prose text-muted">{texts.about[value]}</p>
              <Suspense fallback={<Skeleton className="h-40" />}>
                <Panel />
              </Suspense>
            </>
          );
          return { value, label: texts.names[value], content };
        })}
      />
    </Page>
  );
}
