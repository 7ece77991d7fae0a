import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "./texts";

export function NewChatPage() {
  const texts = useTexts(chatTexts);
  return (
    <Page title={texts.title}>
      <Skeleton className="h-40" />
    </Page>
  );
}

export function ChatPage() {
  return <NewChatPage />;
}
