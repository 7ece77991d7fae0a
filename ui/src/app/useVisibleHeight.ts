import { useEffect } from "react";

/** Bars of a browser take less than this, keyboards more, in pixels. */
const LEAST_KEYBOARD = 150;

/**
 * Keeps `--visible-height` at what a keyboard on the screen leaves of the page, where the browser lays the page out
 * behind it and moves all of it up (Safari on iOS). Elsewhere, and without a keyboard, it is what the styles say.
 */
export function useVisibleHeight(): void {
  useEffect(() => {
    const view = window.visualViewport;
    if (view == null) return;
    const root = document.documentElement;
    const follow = () => {
      // Whoever has zoomed in sees a part of the page because they want to.
      const hidden = view.scale > 1.01 ? 0 : root.clientHeight - view.height;
      if (hidden < LEAST_KEYBOARD) {
        root.style.removeProperty("--visible-height");
        return;
      }
      root.style.setProperty("--visible-height", `${view.height}px`);
      // All of it fits now: the header comes back.
      window.scrollTo(0, 0);
    };
    view.addEventListener("resize", follow);
    view.addEventListener("scroll", follow);
    return () => {
      view.removeEventListener("resize", follow);
      view.removeEventListener("scroll", follow);
      root.style.removeProperty("--visible-height");
    };
  }, []);
}
