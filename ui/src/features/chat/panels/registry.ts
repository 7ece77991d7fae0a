import type { LucideIcon } from "lucide-react";
import type { ComponentType, LazyExoticComponent } from "react";
import { parametersPanel } from "../parameters/panel";
import { toolsPanel } from "../tools/panel";

/** A panel at the right of a chat, such as its parameters. It finds the chat by `useChatController`. */
export interface ChatPanel {
  /** Its name in the URL. */
  id: string;
  icon: LucideIcon;
  /** A hook, since the label is in the reader's language. */
  useLabel: () => string;
  Component: LazyExoticComponent<ComponentType>;
}

/** Every panel, in the order of their buttons in the header. */
export const PANELS: readonly ChatPanel[] = [parametersPanel, toolsPanel];
