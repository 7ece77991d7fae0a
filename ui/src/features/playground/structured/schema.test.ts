import { expect, test } from "vitest";
import { EXAMPLES, readSchema, tidied, violations } from "./schema";

const kinds = (text: string) => {
  const read = readSchema(text);
  return "faults" in read ? read.faults.map(({ kind }) => kind) : [];
};

test.each([
  ["{", ["notJson"]],
  ["[]", ["notObject"]],
  ['{"type": "text"}', ["unknownType"]],
  ['{"type": 3}', ["badType"]],
  ['{"type": "object", "properties": {"a": {"type": "nothing"}}}', ["unknownType"]],
  ['{"type": "array", "items": {"type": "strin"}}', ["unknownType"]],
  ['{"type": "object", "properties": [1]}', ["badProperties"]],
  ['{"type": "object", "properties": {"a": true}, "required": "a"}', ["badRequired"]],
  ['{"type": "object", "properties": {"a": true}, "required": ["b"]}', ["notThere"]],
  ['{"type": ["string", "null"]}', []],
])("%s is refused for what is wrong with it", (text, found) => {
  expect(kinds(text)).toEqual(found);
});

test("a fault names the place that it is at", () => {
  const read = readSchema('{"properties": {"a": {"items": {"type": "x"}}}}');
  expect(read).toEqual({ faults: [{ kind: "unknownType", place: "#/properties/a/items", name: "x" }] });
});

test("broken JSON is told by line", () => {
  const read = readSchema('{\n"type": oops}');
  expect("faults" in read && read.faults[0]?.kind === "notJson" && read.faults[0].message).toMatch(/line 2/);
});

test("every example can be used", () => {
  for (const schema of Object.values(EXAMPLES)) expect(kinds(JSON.stringify(schema))).toEqual([]);
});

test("an answer is held against the schema", () => {
  const good = { name: "Ada", age: 36, hobbies: ["engines"] };
  expect(violations(JSON.stringify(good), EXAMPLES.person)).toEqual([]);
  expect(violations(JSON.stringify({ ...good, age: "old" }), EXAMPLES.person)).not.toEqual([]);
  expect(violations('{"name": "A', EXAMPLES.person)).toBeNull();
});

test("what is no JSON is left as it is", () => {
  expect(tidied('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(tidied('{"a":')).toBe('{"a":');
});
