import { expect, test } from "vitest";
import { sentence } from "./sentence";

test("a sentence begins with a capital, unless it begins with a name", () => {
  expect(sentence("there is no such model")).toBe("There is no such model");
  expect(sentence("es gibt kein solches Modell")).toBe("Es gibt kein solches Modell");
  for (const text of ["smollm2 is not installed", "a.gguf is no GGUF file", "no-name:7b is not installed"])
    expect(sentence(text)).toBe(text);
});
