import { memo, useLayoutEffect, useRef, useState } from "react";
import { classes } from "@/components/classes";

type Typeset = typeof import("./typeset").typeset;

/** Shows a formula: its source until KaTeX is loaded, which is when the first one comes. */
export const MathView = memo(function MathView({ tex, display }: { tex: string; display: boolean }) {
  const place = useRef<HTMLSpanElement>(null);
  const [typeset, setTypeset] = useState<Typeset | null>(null);
  useLayoutEffect(() => {
    let gone = false;
    void import("./typeset").then((module) => gone || setTypeset(() => module.typeset));
    return () => {
      gone = true;
    };
  }, []);
  useLayoutEffect(() => {
    if (place.current !== null) typeset?.(tex, display, place.current);
  }, [typeset, tex, display]);
  const look = display ? "block overflow-x-auto overflow-y-hidden py-1 text-center" : "";
  // KaTeX writes into an element that React leaves alone.
  return typeset === null ? <code className={classes(look)}>{tex}</code> : <span ref={place} className={look} />;
});
