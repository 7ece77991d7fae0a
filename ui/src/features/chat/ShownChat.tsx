import { useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";
import { useTexts } from "@/i18n/texts";
import { ChatView } from "./ChatView";
import type { ChatController } from "./controller";
import { withSearch } from "./search";
import { chatTexts } from "./texts";
import { EditingProvider } from "./thread/editing";
import { ToolsProvider } from "./tools/ToolsProvider";

/** Shows `chat` as the page, with `children` for its messages, and the panel that the URL names. */
export function ShownChat({ chat, children }: { chat: ChatController; children?: ReactNode }) {
  const texts = useTexts(chatTexts);
  const navigate = useNavigate();
  const { panel } = useSearch({ strict: false });
  const title = chat.title === "" ? texts.untitled : chat.title;
  useEffect(() => {
    document.title = `${chat.busy ? "● " : ""}${title} · mlxr`;
  }, [title, chat.busy]);
  return (
    <ToolsProvider>
      <EditingProvider>
        <ChatView
          chat={chat}
          panel={panel}
          onPanel={(next) =>
            void navigate({ to: ".", search: (now) => withSearch(now, { panel: next }), replace: true })
          }
        >
          {children}
        </ChatView>
      </EditingProvider>
    </ToolsProvider>
  );
}
