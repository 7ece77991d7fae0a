/** What of a page is no part of its text. */
const LEFT_OUT =
  "script, style, noscript, template, svg, iframe, object, nav, footer, form, [hidden], [aria-hidden=true]";

const BLOCKS = new Set(
  "ADDRESS ARTICLE ASIDE BLOCKQUOTE BR DD DIV DL DT FIGCAPTION FIGURE H1 H2 H3 H4 H5 H6 HEADER HR LI MAIN OL P PRE SECTION TABLE TR UL".split(
    " ",
  ),
);

/** Returns the title and the words of a page. Its HTML is parsed by the browser and never shown, run or loaded from. */
export function pageText(html: string): { title: string; text: string } {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const element of page.querySelectorAll(LEFT_OUT)) element.remove();
  const root = page.querySelector("main, article") ?? page.body;
  const pieces: string[] = [];
  const walk = (node: Node): void => {
    if (node.nodeType === Node.TEXT_NODE) {
      const inPre = node.parentElement?.closest("pre") !== null;
      pieces.push(inPre ? (node.textContent ?? "") : (node.textContent ?? "").replace(/\s+/g, " "));
      return;
    }
    const name = node.nodeName;
    if (name === "LI") pieces.push("\n- ");
    else if (/^H[1-6]$/.test(name)) pieces.push(`\n\n${"#".repeat(Number(name[1]))} `);
    else if (BLOCKS.has(name)) pieces.push("\n");
    else if (name === "TD" || name === "TH") pieces.push("\t");
    for (const child of node.childNodes) walk(child);
    if (BLOCKS.has(name)) pieces.push("\n");
  };
  walk(root);
  const text = pieces
    .join("")
    .replace(/[ \t]*\n[ \t]*/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
  return { title: page.title.trim(), text };
}
