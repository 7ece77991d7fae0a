import { useNavigate } from "@tanstack/react-router";
import {
  Command,
  Keyboard,
  Languages,
  MessageCircleDashed,
  Monitor,
  Moon,
  PanelLeft,
  SquarePen,
  Sun,
} from "lucide-react";
import { useTexts } from "@/i18n/texts";
import { useCommands } from "./commands";
import { PAGES } from "./navigation";
import { readPreferences, setPreferences } from "./preferences";
import { shellTexts } from "./texts";

/** Offers the commands that every page has. */
export function useShellCommands(open: (what: "palette" | "shortcuts") => void): void {
  const texts = useTexts(shellTexts);
  const navigate = useNavigate();
  useCommands([
    { id: "palette", label: texts.palette, keys: "mod+k", icon: <Command />, run: () => open("palette") },
    { id: "shortcuts", label: texts.shortcuts, keys: "mod+/", icon: <Keyboard />, run: () => open("shortcuts") },
    {
      id: "new-chat",
      label: texts.newChat,
      keys: "mod+shift+o",
      icon: <SquarePen />,
      run: () => void navigate({ to: "/" }),
    },
    {
      id: "temporary-chat",
      label: texts.temporaryChat,
      icon: <MessageCircleDashed />,
      run: () => void navigate({ to: "/", search: { temporary: "yes" } }),
    },
    {
      id: "sidebar",
      label: readPreferences().sidebarClosed ? texts.openSidebar : texts.closeSidebar,
      keys: "mod+b",
      icon: <PanelLeft />,
      run: () => setPreferences({ sidebarClosed: !readPreferences().sidebarClosed }),
    },
    ...PAGES.map(({ to, key, icon: Icon }) => ({
      id: `go-${key}`,
      label: texts[key],
      group: texts.goTo,
      icon: <Icon />,
      run: () => void navigate({ to }),
    })),
    ...(
      [
        ["light", <Sun key="light" />],
        ["dark", <Moon key="dark" />],
        ["system", <Monitor key="system" />],
      ] as const
    ).map(([theme, icon]) => ({
      id: `theme-${theme}`,
      label: texts[theme],
      group: texts.appearance,
      icon,
      run: () => setPreferences({ theme }),
    })),
    ...(
      [
        ["en", "English"],
        ["de", "Deutsch"],
      ] as const
    ).map(([language, label]) => ({
      id: `language-${language}`,
      label,
      group: texts.language,
      icon: <Languages />,
      keywords: [texts.language],
      run: () => setPreferences({ language }),
    })),
  ]);
}
