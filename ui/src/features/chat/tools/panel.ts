import { Wrench } from "lucide-react";
import { lazy } from "react";
import { useTexts } from "@/i18n/texts";
import type { ChatPanel } from "../panels/registry";
import { panelTexts } from "../panels/texts";

export const toolsPanel: ChatPanel = {
  id: "tools",
  icon: Wrench,
  useLabel: () => useTexts(panelTexts).tools,
  Component: lazy(() => import("./ToolsPanel")),
};
