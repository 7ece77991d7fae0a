/** Returns the files of a clipboard. Office programs put a picture of the text beside it: there the text is meant. */
export function pastedFiles({ files, types }: Pick<DataTransfer, "files" | "types">): readonly File[] {
  const pasted = [...files];
  const isText = types.includes("text/plain") && types.includes("text/html");
  return isText && pasted.every(({ type }) => type.startsWith("image/")) ? [] : pasted;
}
