import { Activity, Boxes, FlaskConical, ListTree, MessageSquare, ScrollText, Settings } from "lucide-react";

/** The pages of the sidebar, in its order; `key` is the name in `shellTexts`. */
export const PAGES = [
  { to: "/", key: "chat", icon: MessageSquare },
  { to: "/ui/models", key: "models", icon: Boxes },
  { to: "/ui/playground", key: "playground", icon: FlaskConical },
  { to: "/ui/metrics", key: "metrics", icon: Activity },
  { to: "/ui/requests", key: "requests", icon: ListTree },
  { to: "/ui/logs", key: "logs", icon: ScrollText },
  { to: "/ui/settings", key: "settings", icon: Settings },
] as const;
