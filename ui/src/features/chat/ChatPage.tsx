import { useParams, useSearch } from "@tanstack/react-router";
import { useEffect } from "react";
import { ShownChat } from "./ShownChat";
import { EditingProvider } from "./thread/editing";
import { Thread } from "./thread/Thread";
import { useChat } from "./useChat";

/** A chat that is there, from the message on that the address names. */
export function ChatPage() {
  const { chatId } = useParams({ from: "/ui/chats/$chatId" });
  return (
    <EditingProvider chat={chatId}>
      <OpenedChat chatId={chatId} />
    </EditingProvider>
  );
}

function OpenedChat({ chatId }: { chatId: string }) {
  const { message } = useSearch({ from: "/ui/chats/$chatId" });
  const chat = useChat(chatId);
  const { actions, tree } = chat;
  const isElsewhere = message !== undefined && tree.has(message) && !chat.messages.some(({ id }) => id === message);
  // biome-ignore lint/correctness/useExhaustiveDependencies: whoever goes to another branch then stays there
  useEffect(() => {
    if (isElsewhere) actions.showBranch(message);
  }, [message, tree.has(message ?? "")]);
  return (
    <ShownChat chat={chat}>
      <Thread key={`${chatId} ${message}`} messages={chat.messages} from={message} sent={chat.sent} />
    </ShownChat>
  );
}
