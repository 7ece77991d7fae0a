import { memo, useLayoutEffect, useRef, useSyncExternalStore } from "react";
import { type Typeset, typesetter } from "./typesetter";

/** Shows a formula: its source until KaTeX is loaded, which is when the first one comes. */
export const MathView = memo(function MathView({ tex, display }: { tex: string; display: boolean }) {
  const typeset = useSyncExternalStore(typesetter.subscribe, typesetter.get);
  const look = display ? "block overflow-x-auto overflow-y-hidden py-1 text-center" : "";
  return typeset === null ? <code className={look}>{tex}</code> : <Formula {...{ typeset, tex, display, look }} />;
});

function Formula({ typeset, tex, display, look }: { typeset: Typeset; tex: string; display: boolean; look: string }) {
  // KaTeX writes into an element that React leaves alone.
  const place = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    if (place.current !== null) typeset(tex, display, place.current);
  }, [typeset, tex, display]);
  return <span ref={place} className={look} />;
}
