import { Ellipsis, Pencil, Play, RefreshCw, Trash2, Volume2, VolumeX } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { classes } from "@/components/classes";
import { ConfirmDialog } from "@/components/Dialog";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Menu } from "@/components/Menu";
import { commonTexts } from "@/i18n/common";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { useAloud } from "../aloud/AloudProvider";
import { isOpen, type Message, textOf } from "../model";
import { TokenButton } from "../probabilities/TokenButton";
import { chatTexts } from "../texts";
import { useMessageActions } from "./actions";
import { BranchSwitch } from "./BranchSwitch";
import { useEditing } from "./editing";
import { Progress } from "./Progress";
import { threadTexts } from "./texts";
import { UsageLine } from "./UsageLine";

interface EndRowProps {
  message: Message;
  /** The messages of the same answer before this one: those whose calls it goes on from. */
  before: readonly Message[];
  /** It is the chat's last. */
  last: boolean;
}

/** What stands under an answer: how it fared, how fast it was, and what can be done about it. Its height is the same
 * before and after, so that nothing moves when an answer ends. */
export function EndRow({ message, before, last }: EndRowProps) {
  const texts = useTexts(chatTexts);
  const labels = useTexts(threadTexts);
  const common = useTexts(commonTexts);
  const actions = useMessageActions();
  const words = useServerWords();
  const { begin } = useEditing();
  const { canRead, reading, read, stop } = useAloud();
  const [asks, setAsks] = useState(false);
  const { state, turn } = message;
  const first = before[0];
  // Its other branches stay.
  const removed = [...before, message].findLast(({ siblings }) => siblings.length > 1) ?? first ?? message;
  const text = () => [...before, message].map(textOf).filter(Boolean).join("\n\n");
  if (isOpen(message)) return <Progress message={message} />;
  return (
    <div className="group pb-2">
      {state === "failed" && (
        <ErrorNotice
          error={turn.error ? words(turn.error) : texts.failed}
          onRetry={() => actions.regenerate(message)}
        />
      )}
      {(state === "cut" || state === "stopped") && (
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1 pb-1 text-sm text-muted">
          {state === "cut" ? texts.cut : texts.stopped}
          {turn.continuable === true && (
            <Button size="small" icon={<Play aria-hidden className="size-3.5" />} onClick={() => actions.goOn(message)}>
              {texts.goOn}
            </Button>
          )}
        </p>
      )}
      <div
        className={classes(
          "-ml-1.5 flex min-h-8 flex-wrap items-center transition-opacity group-focus-within:opacity-100 group-hover:opacity-100",
          !last && "pointer-fine:opacity-0",
        )}
      >
        <BranchSwitch message={message} />
        <CopyButton text={text} label={texts.copyMessage} />
        <IconButton label={texts.regenerate} size="small" onClick={() => actions.regenerate(message)}>
          <RefreshCw />
        </IconButton>
        <TokenButton message={message} />
        <Menu
          align="start"
          trigger={
            <IconButton label={common.more} size="small">
              <Ellipsis />
            </IconButton>
          }
          entries={[
            {
              label: texts.goOn,
              icon: <Play />,
              disabled: turn.continuable !== true,
              onSelect: () => actions.goOn(message),
            },
            ...(canRead
              ? [
                  reading === message.id
                    ? { label: labels.stopReading, icon: <VolumeX />, onSelect: stop }
                    : { label: labels.readAloud, icon: <Volume2 />, onSelect: () => read(message.id, text()) },
                ]
              : []),
            {
              label: labels.rewrite,
              icon: <Pencil />,
              disabled: (turn.tool_calls ?? []).length > 0,
              onSelect: () => begin(message.id, textOf(message).trim()),
            },
            ...(first === undefined
              ? []
              : [{ label: labels.fromQuestion, icon: <RefreshCw />, onSelect: () => actions.regenerate(first) }]),
            "separator",
            { label: texts.removeMessage, icon: <Trash2 />, danger: true, onSelect: () => setAsks(true) },
          ]}
        />
        <UsageLine usage={turn.usage} />
      </div>
      <ConfirmDialog
        open={asks}
        onClose={() => setAsks(false)}
        onConfirm={() => {
          setAsks(false);
          actions.remove(removed);
        }}
        title={texts.removeMessageTitle}
        description={texts.removeMessageText}
        action={common.delete}
      />
    </div>
  );
}
