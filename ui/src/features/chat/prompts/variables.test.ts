import { expect, test } from "vitest";
import { askedName, filled, matching, variablesOf } from "./variables";

test("a prompt's variables are asked for once, and what is given may have their signs", () => {
  const text = "Translate {{ text }} into {{language}}; keep {{text}} beside it. {not} {{}}";
  expect(variablesOf(text)).toEqual(["text", "language"]);
  const values = new Map([
    ["text", "$& {{language}}"],
    ["language", "German"],
  ]);
  expect(filled(text, values)).toBe(
    "Translate $& {{language}} into German; keep $& {{language}} beside it. {not} {{}}",
  );
});

test.each([
  ["/", ""],
  ["/Tra", "tra"],
  ["/etc/hosts", null],
  ["/tra nslate", null],
  ["a /tra", null],
  ["", null],
])("of what is typed, %j asks for the prompts of %j", (text, name) => expect(askedName(text)).toBe(name));

test("prompts that begin with what is typed come first", () => {
  const prompts = ["retranslate", "sum-up", "Translate"].map((name) => ({ name }));
  expect(matching(prompts, "trans").map(({ name }) => name)).toEqual(["Translate", "retranslate"]);
});
