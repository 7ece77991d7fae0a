import { Check } from "lucide-react";
import { useMemo } from "react";
import { Button } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import type { ChatController } from "../controller";
import { type MessageActions, MessageActionsContext } from "../thread/actions";
import { Thread } from "../thread/Thread";
import { UserRow } from "../thread/UserRow";
import type { ChatTurn } from "../wire";
import { type Comparison, versionsOf } from "./comparison";
import { compareTexts } from "./texts";

interface CompareViewProps {
  chat: ChatController;
  comparison: Comparison;
  onChoose: (answer: string) => void;
  /** Keeps the answer of this id on its side, since the other side goes to another. */
  onKeep: (answer: string) => void;
}

/** Two models' answers to one message, each with its own scrolling; on phones one swipes from one to the other. */
export default function CompareView({ chat, comparison, onChoose, onKeep }: CompareViewProps) {
  const texts = useTexts(compareTexts);
  const question = chat.messages.find(({ id }) => id === comparison.to);
  const [left, right] = comparison.answers;
  const shared = { chat, onChoose, onKeep };
  return (
    <section aria-label={texts.sideBySide} className="flex min-h-0 flex-1 flex-col">
      {question !== undefined && (
        <div className="max-h-40 shrink-0 overflow-y-auto border-b border-line px-4">
          <UserRow message={question} />
        </div>
      )}
      <div className="grid min-h-0 flex-1 grid-cols-2 divide-x divide-line max-md:flex max-md:snap-x max-md:snap-mandatory max-md:overflow-x-auto">
        <Side key={left.id} {...shared} answer={left} other={right.id} />
        <Side key={right.id} {...shared} answer={right} other={left.id} />
      </div>
    </section>
  );
}

interface SideProps extends Pick<CompareViewProps, "chat" | "onChoose" | "onKeep"> {
  answer: ChatTurn;
  /** The id of the answer on the other side. */
  other: string;
}

function Side({ chat, answer, other, onChoose, onKeep }: SideProps) {
  const texts = useTexts(compareTexts);
  const branch = chat.branchThrough(answer.id);
  const at = branch.findIndex(({ id }) => id === answer.id);
  const first = branch[at];
  // Its n/m counts what this model has answered: what the other has stands on the other side.
  const siblings = useMemo(() => versionsOf(chat.tree, answer), [chat.tree, answer]);
  const own = useMemo(() => (first === undefined ? [] : [{ ...first, siblings }]), [first, siblings]);
  const messages = [...own, ...branch.slice(at + 1)];
  const { actions } = chat;
  const ownActions = useMemo(
    (): MessageActions => ({
      ...actions,
      showBranch: (id) => {
        onKeep(other);
        actions.showBranch(id);
      },
      regenerate: (message) => {
        onKeep(other);
        actions.regenerate(message);
      },
    }),
    [actions, other, onKeep],
  );
  const model = answer.model ?? "";
  return (
    <article
      aria-label={texts.answerOf(model)}
      className="flex min-h-0 min-w-0 flex-col max-md:w-[88%] max-md:shrink-0 max-md:snap-start"
    >
      <MessageActionsContext value={ownActions}>
        <Thread messages={messages} label={texts.answerOf(model)} />
      </MessageActionsContext>
      <footer className="flex shrink-0 justify-center border-t border-line p-2">
        <Button
          icon={<Check aria-hidden className="size-4" />}
          onClick={() => onChoose(messages.at(-1)?.id ?? answer.id)}
        >
          {texts.goOn}
        </Button>
      </footer>
    </article>
  );
}
