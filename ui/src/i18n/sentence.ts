/** Words that begin sentences of the server's, who writes them to stand within others: no name is one of them. */
const BEGINS =
  /^(a|an|another|at|can't|it|no|nobody|nothing|only|the|there|these|this|what|which|der|die|das|ein|eine|es|kein|keine|nichts|niemand|was)(?= )/;

/** Returns `text` as a sentence that stands alone. What begins with a name, a file's or a model's, stays as it is. */
export const sentence = (text: string): string =>
  BEGINS.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
