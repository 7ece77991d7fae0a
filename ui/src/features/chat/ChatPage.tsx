import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTexts } from "@/i18n/texts";
import { ChatView } from "./ChatView";
import type { ChatController } from "./controller";
import { withSearch } from "./search";
import { chatTexts } from "./texts";
import { ToolsProvider } from "./tools/ToolsProvider";
import { useChat } from "./useChat";
import { useNewChat } from "./useNewChat";

/** A chat that is there. */
export function ChatPage() {
  const { chatId } = useParams({ from: "/ui/chats/$chatId" });
  return <Shown chat={useChat(chatId)} />;
}

/** A chat that begins with the first message. */
export function NewChatPage() {
  return <Shown chat={useNewChat()} />;
}

function Shown({ chat }: { chat: ChatController }) {
  const texts = useTexts(chatTexts);
  const navigate = useNavigate();
  const { panel } = useSearch({ strict: false });
  const title = chat.title === "" ? texts.untitled : chat.title;
  useEffect(() => {
    document.title = `${title} · mlxr`;
  }, [title]);
  return (
    <ToolsProvider>
      <ChatView
        chat={chat}
        panel={panel}
        onPanel={(next) => void navigate({ to: ".", search: (now) => withSearch(now, { panel: next }), replace: true })}
      />
    </ToolsProvider>
  );
}
