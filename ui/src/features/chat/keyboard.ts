import type { KeyboardEvent } from "react";

/** On a touch screen the focus would open the keyboard over the chat. */
export const hasKeyboard = (): boolean => matchMedia("(pointer: fine)").matches;

/** Enter sends where there is a keyboard, with Shift it begins a line. On a touch screen, which has no Shift to hold, it
 * begins a line, and sends with Ctrl or Command, as a keyboard beside one has them. */
export const isToSend = (event: KeyboardEvent): boolean =>
  event.key === "Enter" &&
  !event.shiftKey &&
  !event.nativeEvent.isComposing &&
  (hasKeyboard() || event.ctrlKey || event.metaKey);
