import "katex/dist/katex.min.css";
import katex from "katex";

/** Typesets a formula into `place`. What is no formula stays as it was written; nothing in it can run or link. */
export function typeset(tex: string, display: boolean, place: HTMLElement): void {
  try {
    katex.render(tex, place, { displayMode: display, trust: false, strict: "ignore", maxSize: 50, maxExpand: 500 });
  } catch {
    place.textContent = tex;
  }
}
