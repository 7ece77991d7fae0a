import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";

/** The chats, in the sidebar. */
export default function ChatList() {
  const texts = useTexts(chatTexts);
  return <section aria-label={texts.chats} className="h-full overflow-y-auto px-2" />;
}
