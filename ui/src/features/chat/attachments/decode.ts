/** Returns the text in `data`, in whatever usual encoding it is; null where it is no text. */
export function decoded(data: Uint8Array): string | null {
  if (data[0] === 0xff && data[1] === 0xfe) return new TextDecoder("utf-16le").decode(data);
  if (data[0] === 0xfe && data[1] === 0xff) return new TextDecoder("utf-16be").decode(data);
  if (data.subarray(0, 65_536).includes(0)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch {
    const text = new TextDecoder("windows-1252").decode(data);
    // What has many control characters was never written by anybody.
    const odd = (text.slice(0, 4096).match(CONTROLS) ?? []).length;
    return odd > 4 ? null : text;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
const CONTROLS = /[\x00-\x08\x0e-\x1a\x1c-\x1f]/g;
