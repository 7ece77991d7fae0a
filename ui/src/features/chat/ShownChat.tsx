import { useNavigate, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { AloudProvider } from "./aloud/AloudProvider";
import { ChatView } from "./ChatView";
import type { ChatController } from "./controller";
import { withSearch } from "./search";
import { ToolsProvider } from "./tools/ToolsProvider";
import { useTabTitle } from "./useTabTitle";

/** Shows `chat` as the page, with `children` for its messages, and the panel that the URL names. */
export function ShownChat({ chat, children }: { chat: ChatController; children?: ReactNode }) {
  const navigate = useNavigate();
  const { panel } = useSearch({ strict: false });
  useTabTitle(chat);
  return (
    <ToolsProvider>
      <AloudProvider chat={chat.id}>
        <ChatView
          chat={chat}
          panel={panel}
          onPanel={(next) =>
            void navigate({ to: ".", search: (now) => withSearch(now, { panel: next }), replace: true })
          }
        >
          {children}
        </ChatView>
      </AloudProvider>
    </ToolsProvider>
  );
}
