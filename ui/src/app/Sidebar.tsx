import { Link, useRouterState } from "@tanstack/react-router";
import { Command, PanelLeft, SquarePen } from "lucide-react";
import { lazy, Suspense } from "react";
import { IconButton } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { PAGES } from "./navigation";
import { shellTexts } from "./texts";

const ChatList = lazy(() => import("@/features/chat/sidebar/ChatList"));

const ROW = "flex h-8 items-center gap-2.5 rounded-md px-2 hover:bg-hover pointer-coarse:h-11 [&_svg]:size-4";

/** The way to everything: a new chat, the chats, and the other pages. */
export function Sidebar({ onSearch, onClose }: { onSearch: () => void; onClose: () => void }) {
  const texts = useTexts(shellTexts);
  const inChats = useRouterState({ select: ({ location }) => location.pathname.startsWith("/ui/chats/") });
  return (
    <div className="flex h-full flex-col overflow-y-auto pt-[env(safe-area-inset-top)] pb-[env(safe-area-inset-bottom)]">
      <header className="flex h-12 shrink-0 items-center pointer-coarse:h-14 gap-1 pr-2 pl-4">
        <Link to="/" className="mr-auto text-lg font-semibold tracking-tight">
          mlxr
        </Link>
        <IconButton label={texts.palette} keys="mod+k" onClick={onSearch}>
          <Command />
        </IconButton>
        <IconButton label={texts.closeSidebar} keys="mod+b" onClick={onClose}>
          <PanelLeft />
        </IconButton>
      </header>
      <div className="px-2 pb-1">
        <Link to="/" className={`${ROW} border border-line bg-surface font-medium`}>
          <SquarePen aria-hidden />
          {texts.newChat}
        </Link>
      </div>
      {/* A screen that is too low for all of it scrolls: a phone that is held sideways. */}
      <div className="min-h-48 flex-1">
        <Suspense>
          <ChatList />
        </Suspense>
      </div>
      <nav aria-label={texts.pages} className="border-t border-line p-2">
        {/* On phones the chats have the room. */}
        <ul className="max-md:grid max-md:grid-cols-2 max-md:gap-x-1">
          {PAGES.map(({ to, key, icon: Icon }) => (
            <li key={to}>
              <Link
                to={to}
                activeOptions={{ exact: to === "/", includeSearch: false }}
                className={ROW}
                activeProps={{ className: "bg-hover font-medium text-ink" }}
                inactiveProps={{ className: to === "/" && inChats ? "bg-hover font-medium" : "text-muted" }}
              >
                <Icon aria-hidden />
                {texts[key]}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
    </div>
  );
}
