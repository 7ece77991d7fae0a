import { GlobalWorkerOptions, getDocument } from "pdfjs-dist/legacy/build/pdf.mjs";
import worker from "pdfjs-dist/legacy/build/pdf.worker.min.mjs?url";

GlobalWorkerOptions.workerSrc = worker;

/** Why a PDF has no text to give. */
export class PdfError extends Error {
  constructor(readonly reason: "password" | "damaged" | "scanned") {
    super(reason);
  }
}

/** How tables of characters in other scripts are found: one file each, loaded where a PDF asks for it. */
const CMAPS = import.meta.glob<string>("/node_modules/pdfjs-dist/cmaps/*.bcmap", {
  query: "?url",
  import: "default",
  eager: true,
});

class BundledCMaps {
  async fetch({ name }: { name: string }): Promise<{ cMapData: Uint8Array; isCompressed: boolean }> {
    const url = CMAPS[`/node_modules/pdfjs-dist/cmaps/${name}.bcmap`];
    if (url === undefined) throw new Error(`there is no table of characters ${name}`);
    const answer = await fetch(url);
    return { cMapData: new Uint8Array(await answer.arrayBuffer()), isCompressed: true };
  }
}

/** Returns the text of a PDF, page by page. Nothing in it is run; throws a `PdfError`. */
export async function pdfText(data: Uint8Array, onProgress: (share: number) => void, most: number): Promise<string> {
  const task = getDocument({
    data,
    isEvalSupported: false,
    useWasm: false,
    disableFontFace: true,
    useSystemFonts: false,
    CMapReaderFactory: BundledCMaps,
    cMapUrl: "bundled/",
    verbosity: 0,
  } as Parameters<typeof getDocument>[0]);
  try {
    const document = await task.promise;
    const pages: string[] = [];
    let length = 0;
    for (let number = 1; number <= document.numPages && length <= most; number++) {
      const page = await document.getPage(number);
      const { items } = await page.getTextContent();
      const text = items.map((item) => ("str" in item ? item.str + (item.hasEOL ? "\n" : "") : "")).join("");
      pages.push(text.trim());
      length += text.length;
      page.cleanup();
      onProgress(number / document.numPages);
    }
    const text = pages.filter((page) => page !== "").join("\n\n");
    if (text === "") throw new PdfError("scanned");
    return text;
  } catch (error) {
    if (error instanceof PdfError) throw error;
    throw new PdfError(error instanceof Error && error.name === "PasswordException" ? "password" : "damaged");
  } finally {
    await task.destroy();
  }
}
