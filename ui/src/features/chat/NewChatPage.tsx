import { useEffect } from "react";
import { ShownChat } from "./ShownChat";
import { useNewChat } from "./useNewChat";

/** A chat that begins with the first message. What shows messages is no part of it, and loads as somebody begins. */
export function NewChatPage() {
  useEffect(preloadOnUse, []);
  return <ShownChat chat={useNewChat()} />;
}

/** Loads the page of the chat that is about to begin, so that the first message needs not wait for it. */
function preloadOnUse(): () => void {
  const used = new AbortController();
  const preload = () => {
    used.abort();
    // The router asks again, and says what went wrong, when the page is really wanted.
    import("./ChatPage").catch(() => {});
  };
  for (const event of ["keydown", "pointerdown", "paste", "drop"]) {
    window.addEventListener(event, preload, { capture: true, signal: used.signal });
  }
  return () => used.abort();
}
