import type { ComponentType } from "react";

/** Buttons below the text of the composer, in their order. Each finds the chat by `useChatController`. */
export const COMPOSER_TOOLS: readonly { id: string; Component: ComponentType }[] = [];
