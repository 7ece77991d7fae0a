import { lazy, memo, type ReactNode, Suspense } from "react";
import { titleOf } from "@/api/models";
import { useTexts } from "@/i18n/texts";
import { SegmentView } from "../markdown/Markdown";
import { isOpen } from "../model";
import { PartView } from "../parts/registry";
import { chatTexts } from "../texts";
import { AnswerEditor } from "./AnswerEditor";
import { BranchSwitch } from "./BranchSwitch";
import { EndRow } from "./EndRow";
import type { Row } from "./rows";
import { UserRow } from "./UserRow";

const TokenHover = lazy(() => import("../probabilities/TokenHover"));

/** Shows one row. `last`: it is of the chat's last message. */
export const RowView = memo(
  function RowView({ row, last }: { row: Row; last: boolean }) {
    switch (row.kind) {
      case "user":
        return <UserRow message={row.message} />;
      case "start":
        return <StartRow row={row} />;
      case "segment":
        return (
          <Hovered row={row}>
            <div className="markdown">
              <SegmentView segment={row.segment} growing={row.growing} />
            </div>
          </Hovered>
        );
      case "part":
        return <PartView part={row.part} message={row.message} />;
      case "editor":
        return <AnswerEditor message={row.message} />;
      case "branches":
        return <BranchSwitch message={row.message} />;
      case "end":
        return <EndRow message={row.message} before={row.before} last={last} />;
    }
  },
  (before, after) =>
    before.last === after.last &&
    (before.row === after.row ||
      (before.row.kind === "segment" &&
        after.row.kind === "segment" &&
        before.row.segment === after.row.segment &&
        before.row.growing === after.row.growing &&
        hasProbabilities(before.row) === hasProbabilities(after.row))),
);

const hasProbabilities = ({ message }: Row): boolean => !isOpen(message) && (message.turn.logprobs ?? []).length > 0;

/** Answers that have probabilities show them under the pointer. */
function Hovered({ row, children }: { row: Row & { kind: "segment" }; children: ReactNode }) {
  if (!hasProbabilities(row)) return children;
  return (
    <Suspense fallback={children}>
      <TokenHover message={row.message} segment={row.segment.key}>
        {children}
      </TokenHover>
    </Suspense>
  );
}

/** Who speaks. */
function StartRow({ row: { message } }: { row: Row }) {
  const texts = useTexts(chatTexts);
  const name = titleOf(message.turn.model ?? texts.assistant);
  return (
    <h2 className="pt-3 pb-1 text-sm font-semibold text-muted">
      <span className="sr-only">{texts.answerOf} </span>
      {name}
    </h2>
  );
}
