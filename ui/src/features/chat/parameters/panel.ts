import { SlidersHorizontal } from "lucide-react";
import { lazy } from "react";
import { useTexts } from "@/i18n/texts";
import type { ChatPanel } from "../panels/registry";
import { panelTexts } from "../panels/texts";

export const parametersPanel: ChatPanel = {
  id: "parameters",
  icon: SlidersHorizontal,
  useLabel: () => useTexts(panelTexts).parameters,
  Component: lazy(() => import("./ParametersPanel")),
};
