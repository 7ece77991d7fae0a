import { MessageCircleDashed } from "lucide-react";
import { Button } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { useChatController } from "../controller";
import { temporaryTexts } from "./texts";

/** Says that a chat is not kept, and keeps it after all. */
export function TemporaryNotice() {
  const texts = useTexts(temporaryTexts);
  const { change } = useChatController();
  return (
    <div role="note" className="flex items-center gap-2 pb-1.5 text-sm text-muted">
      <MessageCircleDashed aria-hidden className="size-4 shrink-0" />
      <p className="mr-auto">{texts.about}</p>
      <Button size="small" onClick={() => change({ temporary: false })}>
        {texts.keep}
      </Button>
    </div>
  );
}
