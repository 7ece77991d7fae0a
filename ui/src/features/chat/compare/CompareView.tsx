import { Check } from "lucide-react";
import { Button } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import type { ChatController } from "../controller";
import { Thread } from "../thread/Thread";
import { UserRow } from "../thread/UserRow";
import type { Comparison } from "./comparison";
import { compareTexts } from "./texts";

interface CompareViewProps {
  chat: ChatController;
  comparison: Comparison;
  onChoose: (answer: string) => void;
}

/** Two models' answers to one message, each with its own scrolling; on phones one swipes from one to the other. */
export default function CompareView({ chat, comparison, onChoose }: CompareViewProps) {
  const texts = useTexts(compareTexts);
  const question = chat.messages.find(({ id }) => id === comparison.to);
  return (
    <section aria-label={texts.sideBySide} className="flex min-h-0 flex-1 flex-col">
      {question !== undefined && (
        <div className="max-h-40 shrink-0 overflow-y-auto border-b border-line px-4">
          <UserRow message={question} />
        </div>
      )}
      <div className="grid min-h-0 flex-1 grid-cols-2 divide-x divide-line max-md:flex max-md:snap-x max-md:snap-mandatory max-md:overflow-x-auto">
        {comparison.answers.map((answer) => {
          const branch = chat.branchThrough(answer.id);
          const messages = branch.slice(branch.findIndex(({ id }) => id === answer.id));
          const model = answer.model ?? "";
          return (
            <article
              key={answer.id}
              aria-label={texts.answerOf(model)}
              className="flex min-h-0 min-w-0 flex-col max-md:w-[88%] max-md:shrink-0 max-md:snap-start"
            >
              <Thread messages={messages} label={texts.answerOf(model)} />
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
        })}
      </div>
    </section>
  );
}
