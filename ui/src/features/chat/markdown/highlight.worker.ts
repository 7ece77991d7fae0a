import { common, createLowlight } from "lowlight";
import type { ColouredLine, HighlightAnswer, HighlightRequest } from "./highlight";

const lowlight = createLowlight(common);

interface Node {
  type: string;
  value?: string;
  children?: Node[];
  properties?: { className?: unknown };
}

self.onmessage = ({ data: { id, code, language } }: MessageEvent<HighlightRequest>) => {
  const lines = lowlight.registered(language) ? linesOf(lowlight.highlight(language, code) as Node) : null;
  const answer: HighlightAnswer = { id, lines };
  self.postMessage(answer);
};

/** Returns the tree as lines of pieces; a piece has the class of the innermost element around it. */
function linesOf(root: Node): ColouredLine[] {
  const lines: [string, string][][] = [[]];
  const visit = (node: Node, kind: string) => {
    for (const [index, text] of (node.value ?? "").split("\n").entries()) {
      if (index > 0) lines.push([]);
      if (text !== "") lines.at(-1)?.push([kind, text]);
    }
    const { className } = node.properties ?? {};
    const inner = Array.isArray(className) ? className.join(" ") : kind;
    for (const child of node.children ?? []) visit(child, inner);
  };
  visit(root, "");
  return lines;
}
