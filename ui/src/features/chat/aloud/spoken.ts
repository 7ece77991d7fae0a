/** Returns what of a Markdown text is read out, by the paragraph: its words, without code, formulas and marks. */
export function spoken(text: string): string[] {
  return text
    .replace(/^(```|~~~)[\s\S]*?(^\1|$(?![\s\S]))/gm, "\n\n")
    .replace(/\$\$[\s\S]*?\$\$/g, " ")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^[ \t]*(?:[-*+]|#{1,6}|>|[|:\- \t]+$)[ \t]*/gm, "")
    .replace(/[*_`~|]+/g, " ")
    .split(/\n{2,}/)
    .map((paragraph) => paragraph.replace(/\s+/g, " ").trim())
    .filter((paragraph) => /[\p{L}\p{N}]/u.test(paragraph));
}
