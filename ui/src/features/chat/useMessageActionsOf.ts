import { useMemo, useRef } from "react";
import type { ChatFollower } from "./live/ChatFollower";
import { isOpen } from "./model";
import { answerAgain, type ChatChange, continueAnswer, deleteMessage, sendMessage, stopAnswers } from "./requests";
import type { MessageActions } from "./thread/actions";
import type { MessageTree } from "./tree";
import type { Answers } from "./wire";

interface Around {
  id: string;
  tree: MessageTree;
  follower: ChatFollower;
  change: (asked: ChatChange) => void;
  refused: (error: Error) => void;
}

/** Returns what can be done with the messages of a chat: the same object always, so that no message is shown anew. */
export function useMessageActionsOf(around: Around): MessageActions {
  const now = useRef(around);
  now.current = around;
  return useMemo(() => {
    const led = (to: Promise<Answers>) =>
      void to.then((answers) => now.current.follower.learn(answers), now.current.refused);
    return {
      regenerate: ({ id }) => led(answerAgain(now.current.id, id)),
      edit: ({ turn }, text) => {
        const others = (turn.content ?? []).filter(({ type }) => type !== "text");
        const content = [...others, { type: "text" as const, text }];
        // Nobody wants the answer to what was said before any more.
        const stopped = now.current.tree.turns.some(isOpen) ? stopAnswers(now.current.id) : Promise.resolve();
        led(stopped.then(() => sendMessage(now.current.id, { content, parent: turn.parent ?? null })));
      },
      goOn: ({ id }) => led(continueAnswer(now.current.id, id)),
      showBranch: (id) => now.current.change({ leaf: now.current.tree.leafThrough(id) }),
      remove: ({ id }) => led(deleteMessage(now.current.id, id).then((chat) => ({ chat }))),
    };
  }, []);
}
