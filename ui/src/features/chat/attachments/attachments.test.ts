import { File as NodeFile } from "node:buffer";
import { afterEach, expect, test, vi } from "vitest";
import { decoded } from "./decode";
import { endingOf, languageOf } from "./languages";
import { MOST_BYTES, MOST_CHARACTERS, RefusedFile, readFile } from "./readFile";

// jsdom's files can't be read.
const File = NodeFile as unknown as typeof globalThis.File;
const options = { seesImages: false, model: "m" };
const refusal = (file: File) =>
  readFile(file, options).then(
    () => null,
    (error: unknown) => (error instanceof RefusedFile ? error.refusal.reason : error),
  );

afterEach(() => vi.unstubAllGlobals());

test("a text is read in whatever encoding it is, and keeps its name and its language", async () => {
  const content = await readFile(new File(["print('ä')"], "a.py", { type: "text/x-python" }), options);
  expect(content).toEqual({ type: "file", name: "a.py", text: "print('ä')", media_type: "text/x-python" });
  expect(decoded(new Uint8Array([0xff, 0xfe, 0xe4, 0x00]))).toBe("ä");
  expect(decoded(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))).toBe("a");
  expect(decoded(new Uint8Array([0x47, 0x72, 0xfc, 0xdf, 0x65]))).toBe("Grüße");
});

test.each([
  ["main.rs", "rust"],
  ["Dockerfile", "dockerfile"],
  ["a/b/Makefile", "makefile"],
  ["README.MD", "markdown"],
  ["notes.txt", undefined],
  ["constructor", undefined],
])("%s is %s", (name, language) => expect(languageOf(name)).toBe(language));

test.each([
  ["python", "py"],
  ["TypeScript", "ts"],
  ["tsx", "tsx"],
  ["", "txt"],
  ["constructor", "txt"],
])("code in %s is saved as .%s", (language, ending) => expect(endingOf(language)).toBe(ending));

test("what is no text, empty, too large or too long is refused by its reason", async () => {
  expect(await refusal(new File([new Uint8Array([1, 0, 2])], "a.bin"))).toBe("binary");
  expect(await refusal(new File([], "a.txt"))).toBe("empty");
  const folder = new File(["x"], "folder");
  Object.defineProperty(folder, "arrayBuffer", { value: () => Promise.reject(new DOMException("", "NotFoundError")) });
  expect(await refusal(folder)).toBe("unreadable");
  expect(await refusal(new File(["x".repeat(MOST_CHARACTERS + 1)], "a.txt"))).toBe("long");
  const large = new File(["x"], "a.txt");
  Object.defineProperty(large, "size", { value: MOST_BYTES + 1 });
  expect(await refusal(large)).toBe("large");
});

test("an image is refused where the model can't look at it, and kept on the server where it can", async () => {
  const picture = () => new File([new Uint8Array([0x89, 0x50])], "a.png", { type: "image/png" });
  expect(await refusal(picture())).toBe("images");
  vi.stubGlobal("fetch", async () => Response.json({ digest: "sha256:0", media_type: "image/png", size: 2 }));
  expect(await readFile(picture(), { seesImages: true, model: "m" })).toEqual({
    type: "image",
    digest: "sha256:0",
    media_type: "image/png",
    name: "a.png",
  });
});
