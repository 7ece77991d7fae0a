/** A text of more characters than these is attached as a file: a message of it would hide what is asked about it. */
export const LONG_PASTE = 4_000;

/** Returns the files of a clipboard, or a long text of it as one without a name. Office programs put a picture of the
 * text beside it: there the text is meant. */
export function pastedFiles(clipboard: Pick<DataTransfer, "files" | "types" | "getData">): readonly File[] {
  const { types } = clipboard;
  const files = [...clipboard.files];
  const hasText = types.includes("text/plain");
  const isPicture = files.every(({ type }) => type.startsWith("image/"));
  if (files.length > 0 && !(hasText && types.includes("text/html") && isPicture)) return files;
  const text = hasText ? clipboard.getData("text/plain") : "";
  return text.length > LONG_PASTE ? [new File([text], "", { type: "text/plain" })] : [];
}
