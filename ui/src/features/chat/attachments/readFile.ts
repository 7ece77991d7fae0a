import { fetchApi } from "@/api/client";
import type { Content } from "../wire";
import { decoded } from "./decode";
import { languageOf } from "./languages";

/** Why a file can't be attached. */
export type Refusal =
  | { reason: "large"; most: number }
  | { reason: "long"; most: number }
  | { reason: "many"; most: number }
  | { reason: "images"; model: string }
  | { reason: "empty" | "unreadable" | "binary" | "password" | "damaged" | "scanned" };

export class RefusedFile extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.reason);
  }
}

export const MOST_BYTES = 50_000_000;
export const MOST_CHARACTERS = 1_000_000;

export interface ReadOptions {
  /** The model looks at images. */
  seesImages: boolean;
  model: string | null;
  onProgress?: (share: number) => void;
}

/** Returns `file` as a message takes it. Throws a `RefusedFile`, or an `ApiError` where an image can't be kept. */
export async function readFile(
  file: File,
  { seesImages, model, onProgress = () => {} }: ReadOptions,
): Promise<Content> {
  if (file.size > MOST_BYTES) throw new RefusedFile({ reason: "large", most: MOST_BYTES });
  if (file.size === 0) throw new RefusedFile({ reason: "empty" });
  if (isImage(file)) return image(file, seesImages, model ?? "");
  const data = new Uint8Array(await file.arrayBuffer().catch(refuseUnreadable));
  if (isPdf(file, data)) return asFile(file, await textOfPdf(data, onProgress), "application/pdf");
  const text = decoded(data);
  if (text === null) throw new RefusedFile({ reason: "binary" });
  const language = languageOf(file.name);
  return asFile(file, text, language === undefined ? "text/plain" : `text/x-${language}`);
}

/** A folder looks like a file until it is read, and a file may be gone or locked by then. */
function refuseUnreadable(): never {
  throw new RefusedFile({ reason: "unreadable" });
}

/** SVG is text that people write, too. */
const isImage = ({ type }: File): boolean => type.startsWith("image/") && type !== "image/svg+xml";

const isPdf = ({ type }: File, data: Uint8Array): boolean =>
  type === "application/pdf" || String.fromCharCode(...data.subarray(0, 5)) === "%PDF-";

function asFile({ name }: File, text: string, media_type: string): Content {
  if (text.length > MOST_CHARACTERS) throw new RefusedFile({ reason: "long", most: MOST_CHARACTERS });
  return { type: "file", name: name === "" ? "text.txt" : name, text, media_type };
}

async function textOfPdf(data: Uint8Array, onProgress: (share: number) => void): Promise<string> {
  const { pdfText, PdfError } = await import("./pdf");
  try {
    return await pdfText(data, onProgress, MOST_CHARACTERS);
  } catch (error) {
    if (error instanceof PdfError) throw new RefusedFile({ reason: error.reason });
    throw error;
  }
}

async function image(file: File, seesImages: boolean, model: string): Promise<Content> {
  if (!seesImages) throw new RefusedFile({ reason: "images", model });
  const headers = { "Content-Type": file.type };
  const answer = await fetchApi("/api/ui/attachments", { method: "POST", body: file, headers });
  const { digest, media_type } = (await answer.json()) as { digest: string; media_type: string };
  return { type: "image", digest, media_type, name: file.name };
}
