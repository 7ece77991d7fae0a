import { useNavigate } from "@tanstack/react-router";
import { MessageCircleDashed } from "lucide-react";
import { IconButton } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { useChatController } from "../controller";
import { withSearch } from "../search";
import { temporaryTexts } from "./texts";

/** Makes the chat that is about to begin one that is not kept, or one that is. */
export function TemporaryToggle() {
  const texts = useTexts(temporaryTexts);
  const navigate = useNavigate();
  const { temporary } = useChatController();
  const next = temporary ? undefined : "yes";
  return (
    <IconButton
      label={texts.toggle}
      aria-pressed={temporary}
      className={temporary ? "bg-accent-soft! text-accent-ink!" : ""}
      onClick={() => void navigate({ to: ".", search: (now) => withSearch(now, { temporary: next }), replace: true })}
    >
      <MessageCircleDashed />
    </IconButton>
  );
}
