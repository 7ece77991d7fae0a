import { Slot } from "radix-ui";
import { type ReactNode, useEffect, useState } from "react";
import { Kbd } from "./Kbd";

/** Shows `text` beside what is hovered or focused. Its child has a label of its own: this one is for eyes. */
export function Tooltip({ text, keys, children }: { text: string; keys?: string; children: ReactNode }) {
  return (
    <Slot.Root data-tooltip={text} {...(keys === undefined ? {} : { "data-tooltip-keys": keys })}>
      {children}
    </Slot.Root>
  );
}

const DELAY_MS = 500;

/**
 * Shows the tooltips of the whole page: one element for all of them, so that a thousand buttons cost no more than
 * their attributes. Escape, a press or scrolling hides what is shown.
 */
export function TooltipLayer() {
  const [shown, setShown] = useState<Element | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = (element: Element | null, delay: number) => {
      clearTimeout(timer);
      if (element === null) setShown(null);
      else timer = setTimeout(() => setShown(element.isConnected ? element : null), delay);
    };
    const over = (event: PointerEvent) => event.pointerType === "mouse" && show(tipped(event.target), DELAY_MS);
    const focused = ({ target }: FocusEvent) =>
      target instanceof Element && target.matches(":focus-visible") && show(tipped(target), 0);
    const hide = () => show(null, 0);
    const pressed = ({ key }: KeyboardEvent) => key === "Escape" && hide();
    const events = {
      pointerover: over,
      focusin: focused,
      focusout: hide,
      pointerdown: hide,
      keydown: pressed,
      scroll: hide,
    };
    const entries = Object.entries(events) as [string, EventListener][];
    for (const [name, listener] of entries) document.addEventListener(name, listener, { capture: true, passive: true });
    return () => {
      clearTimeout(timer);
      for (const [name, listener] of entries) document.removeEventListener(name, listener, { capture: true });
    };
  }, []);
  const text = shown?.getAttribute("data-tooltip");
  return shown !== null && text != null ? <Tip key={text} target={shown} text={text} /> : null;
}

const tipped = (target: EventTarget | null): Element | null =>
  target instanceof Element ? target.closest("[data-tooltip]") : null;

const GAP = 6;
const EDGE = 8;

function Tip({ target, text }: { target: Element; text: string }) {
  const keys = target.getAttribute("data-tooltip-keys");
  const place = (tip: HTMLDivElement | null) => {
    if (tip === null) return;
    const { left, width, top, bottom } = target.getBoundingClientRect();
    const fitsAbove = top - tip.offsetHeight - GAP >= EDGE;
    const x = left + width / 2 - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(EDGE, Math.min(x, innerWidth - tip.offsetWidth - EDGE))}px`;
    tip.style.top = `${fitsAbove ? top - tip.offsetHeight - GAP : bottom + GAP}px`;
  };
  return (
    <div
      ref={place}
      aria-hidden
      className="pointer-events-none fixed z-50 flex w-max max-w-72 items-center gap-2 rounded-md bg-ink px-2 py-1 text-xs text-surface"
    >
      {text}
      {keys !== null && <Kbd keys={keys} inverted />}
    </div>
  );
}
