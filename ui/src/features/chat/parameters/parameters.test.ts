import { expect, test } from "vitest";
import { isChanged, wholeNumber, withParameter } from "./fields";
import { checkSchema } from "./schemaCheck";

test("a parameter that is set back is left out, so that the default holds again", () => {
  const values: Record<string, unknown> = { temperature: 0, seed: 3 };
  expect(isChanged(values, "temperature")).toBe(true);
  const back = withParameter(values, "temperature", null);
  expect(back).toEqual({ seed: 3 });
  expect(isChanged(back, "temperature")).toBe(false);
  expect(withParameter(back, "top_k", 0)).toEqual({ seed: 3, top_k: 0 });
});

test.each([
  ["", null],
  ["12", 12],
  ["1.5", undefined],
  ["x", undefined],
  ["0", undefined],
  ["101", undefined],
])("%j as a whole number from 1 to 100 is %j", (text, value) => expect(wholeNumber(text, 1, 100)).toBe(value));

test.each([
  ["{", { kind: "json" }],
  ["[]", { kind: "object" }],
  ["3", { kind: "object" }],
  ['{"type": "text"}', { kind: "type", type: "text" }],
  ['{"properties": {"a": {"items": {"type": "str"}}}}', { kind: "type", type: "str" }],
  ['{"required": "a"}', { kind: "required" }],
  ['{"properties": []}', { kind: "properties" }],
  ['{"anyOf": [{"type": ["string", "nil"]}]}', { kind: "type", type: "nil" }],
])("%s is no schema", (text, problem) => expect(checkSchema(text)).toMatchObject({ problem }));

test("a schema is taken as it is written", () => {
  const schema = { type: "object", properties: { a: { type: ["string", "null"] } }, required: ["a"] };
  expect(checkSchema(JSON.stringify(schema))).toEqual({ schema });
});
