const VARIABLE = /\{\{\s*([^{}]+?)\s*\}\}/g;

/** Returns the names of what a prompt asks for, each once. */
export const variablesOf = (text: string): string[] => [
  ...new Set([...text.matchAll(VARIABLE)].flatMap(([, name]) => (name === undefined ? [] : [name]))),
];

/** Returns a prompt's text with what was given for its variables. */
export const filled = (text: string, values: ReadonlyMap<string, string>): string =>
  text.replace(VARIABLE, (_, name: string) => values.get(name) ?? "");

/** Returns what is searched for among the prompts where `text` is the beginning of a name behind a slash; else null. */
export const askedName = (text: string): string | null => /^\/([^\s/]*)$/.exec(text)?.[1]?.toLowerCase() ?? null;

/** Returns the prompts with `words` in their names, those first that begin so. */
export function matching<Named extends { name: string }>(prompts: readonly Named[], words: string): Named[] {
  const place = ({ name }: Named) => name.toLowerCase().indexOf(words);
  return prompts.filter((prompt) => place(prompt) >= 0).toSorted((a, b) => Number(place(a) > 0) - Number(place(b) > 0));
}
