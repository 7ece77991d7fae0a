import { useParams } from "@tanstack/react-router";
import { ShownChat } from "./ShownChat";
import { Thread } from "./thread/Thread";
import { useChat } from "./useChat";

/** A chat that is there. */
export function ChatPage() {
  const { chatId } = useParams({ from: "/ui/chats/$chatId" });
  const chat = useChat(chatId);
  return (
    <ShownChat chat={chat}>
      <Thread key={chatId} messages={chat.messages} />
    </ShownChat>
  );
}
