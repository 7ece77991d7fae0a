import { lazy, Suspense } from "react";
import type { PartProps } from "./registry";

const ToolCard = lazy(() => import("../tools/ToolCard"));

/** A tool call of an answer. Its card is loaded with the first one. */
export function CallPart(props: PartProps<"call">) {
  return (
    <Suspense fallback={<div className="my-2 h-18 rounded-md border border-line" />}>
      <ToolCard {...props} />
    </Suspense>
  );
}
