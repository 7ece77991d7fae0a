import { useMemo, useRef } from "react";
import { isOpen } from "./model";
import type { PendingChanges } from "./PendingChanges";
import { answerAgain, type ChatChange, continueAnswer, deleteMessage, sendMessage, stopAnswers } from "./requests";
import type { MessageActions } from "./thread/actions";
import type { MessageTree } from "./tree";
import type { Answers } from "./wire";

interface Around {
  id: string;
  tree: MessageTree;
  /** Takes what a request led to. */
  learn: (answers: Answers) => void;
  change: (asked: ChatChange) => void;
  pending: PendingChanges;
  refused: (error: Error) => void;
}

/** Returns what can be done with the messages of a chat: the same object always, so that no message is shown anew. */
export function useMessageActionsOf(around: Around): MessageActions {
  const now = useRef(around);
  now.current = around;
  return useMemo((): MessageActions => {
    // Another chat may be shown by the time the server answers: this one is told.
    const led = ({ learn, refused }: Around, to: Promise<Answers>) =>
      to.then(
        (answers) => {
          learn(answers);
          return true;
        },
        (error: Error) => {
          refused(error);
          return false;
        },
      );
    const ask = (what: (chat: string) => Promise<Answers>) => {
      const shown = now.current;
      void led(
        shown,
        shown.pending.settle().then(() => what(shown.id)),
      );
    };
    return {
      regenerate: ({ id }) => ask((chat) => answerAgain(chat, id)),
      edit: ({ turn }, text, answers) => {
        const shown = now.current;
        const others = (turn.content ?? []).filter(({ type }) => type !== "text");
        const content = [...others, { type: "text" as const, text }];
        // Nobody wants the answer to what was said before any more.
        const stopped = shown.tree.turns.some(isOpen) ? stopAnswers(shown.id) : undefined;
        const message = { content, parent: turn.parent ?? null, answers };
        return led(
          shown,
          Promise.all([stopped, shown.pending.settle()]).then(() => sendMessage(shown.id, message)),
        );
      },
      rewrite: ({ turn }, text) => {
        const shown = now.current;
        const content = [{ type: "text" as const, text }];
        const message = { content, role: "assistant" as const, parent: turn.parent ?? null, answers: [] };
        return led(shown, sendMessage(shown.id, message));
      },
      goOn: ({ id }) => ask((chat) => continueAnswer(chat, id)),
      showBranch: (id) => now.current.change({ leaf: now.current.tree.leafThrough(id) }),
      remove: ({ id }) => ask(async (chat) => ({ chat: await deleteMessage(chat, id) })),
    };
  }, []);
}
