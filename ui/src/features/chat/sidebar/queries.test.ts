import { expect, test } from "vitest";
import { fileNameOf } from "./queries";

test.each([
  ["C++ or Rust?", "C-or-Rust"],
  ["Über die See", "Über-die-See"],
  ["👍", "chat"],
  ["", "chat"],
])("a chat of the title %j is saved as %s", (title, name) => expect(fileNameOf(title)).toBe(name));
