import { Button } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { useChatController } from "../controller";
import { useEditing } from "./editing";
import { unseenTexts } from "./unseenTexts";

/** Says where changes to messages are that are not in view, and that another tab went on elsewhere: nothing that a
 * person has typed is lost to them. `onKeep` takes the text of one whose message is gone. */
export default function UnseenEdits({ onKeep }: { onKeep: (text: string) => void }) {
  const texts = useTexts(unseenTexts);
  const { messages, tree, goElsewhere, actions } = useChatController();
  const { typed, begin, end } = useEditing();
  const unseen = [...typed].filter(([id]) => !messages.some((message) => message.id === id));
  return (
    <div role="status" className="text-sm text-muted">
      {goElsewhere !== null && (
        <Line text={texts.wentElsewhere}>
          <Button size="small" onClick={goElsewhere}>
            {texts.goThere}
          </Button>
        </Line>
      )}
      {unseen.map(([id, text]) => (
        <Line key={id} text={tree.has(id) ? texts.inOtherBranch : texts.messageGone}>
          {tree.has(id) ? (
            <Button
              size="small"
              onClick={() => {
                actions.showBranch(id);
                begin(id, text);
              }}
            >
              {texts.showIt}
            </Button>
          ) : (
            <Button
              size="small"
              onClick={() => {
                onKeep(text);
                end(id);
              }}
            >
              {texts.takeText}
            </Button>
          )}
          <Button size="small" look="ghost" onClick={() => end(id)}>
            {texts.discard}
          </Button>
        </Line>
      ))}
    </div>
  );
}

function Line({ text, children }: { text: string; children: React.ReactNode }) {
  return (
    <div className="flex flex-wrap items-center justify-end gap-2 pb-1">
      <p className="mr-auto">{text}</p>
      {children}
    </div>
  );
}
