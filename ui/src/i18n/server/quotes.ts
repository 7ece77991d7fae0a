/** What somebody else's words are quoted with, as Python does it: by `'`, and by `"` where there is a `'` in them. */
const QUOTED = /(?<!\w)(?:'(?:[^'\\\n]|\\.)*'|"(?=[^"\n]*')(?:[^"\\\n]|\\.)*")(?!\w)/gu;

const FIRST_STAND_IN = 0xe000;

/**
 * Returns what `translate` makes of `sentence` with a stand-in, one character, for each quotation of several words:
 * those are names of people's files and chats, which are no words of the server's whatever they say.
 */
export function withQuotesAside(sentence: string, translate: (text: string) => string | null): string | null {
  if (/[\ue000-\uf8ff]/.test(sentence)) return translate(sentence);
  const quoted: string[] = [];
  const text = sentence.replace(QUOTED, (all) => {
    if (!/\s/.test(all)) return all;
    quoted.push(all);
    return String.fromCharCode(FIRST_STAND_IN + quoted.length - 1);
  });
  return (
    translate(text)?.replace(/[\ue000-\uf8ff]/g, (each) => quoted[each.charCodeAt(0) - FIRST_STAND_IN] ?? each) ?? null
  );
}
