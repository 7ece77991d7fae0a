import { Validator } from "@cfworker/json-schema";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Schema = { [key: string]: Json };

/** What is wrong with a schema: which sentence says it, and what that is about. */
export type SchemaFault =
  | { kind: "notJson"; message: string }
  | { kind: "notObject" }
  | { kind: "badType" | "badProperties" | "badRequired"; place: string }
  | { kind: "unknownType" | "notThere"; place: string; name: string };

const TYPES = ["null", "boolean", "object", "array", "number", "integer", "string"];
const isObject = (value: Json | undefined): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns the schema that a text says, or what is wrong with it. */
export function readSchema(text: string): { schema: Schema } | { faults: SchemaFault[] } {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    return { faults: [{ kind: "notJson", message: placed(error instanceof Error ? error.message : "", text) }] };
  }
  if (!isObject(value)) return { faults: [{ kind: "notObject" }] };
  const faults = faultsOf(value, "#");
  return faults.length === 0 ? { schema: value } : { faults };
}

const TOKEN = /\s*(?:"(?:[^"\\\n]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\]:,])/y;

/** Says the line and column of what is wrong, which engines only count characters to, or leave out. */
function placed(message: string, text: string): string {
  if (/line \d+/.test(message)) return message;
  const said = /position (\d+)/.exec(message)?.[1];
  const before = text.slice(0, said === undefined ? firstStrange(text) : Number(said)).split("\n");
  return `${message} (line ${before.length} column ${(before.at(-1) ?? "").length + 1})`;
}

/** Where the first thing stands that JSON has no word for; the end where there is none. */
function firstStrange(text: string): number {
  let end = 0;
  for (TOKEN.lastIndex = 0; TOKEN.test(text); ) end = TOKEN.lastIndex;
  return end + (/\S/.exec(text.slice(end))?.index ?? text.length - end);
}

function faultsOf(schema: Schema, place: string): SchemaFault[] {
  const { type, properties, required, items } = schema;
  const faults: SchemaFault[] = [];
  const types = Array.isArray(type) ? type : type === undefined ? [] : [type];
  for (const each of types) {
    if (typeof each !== "string") faults.push({ kind: "badType", place });
    else if (!TYPES.includes(each)) faults.push({ kind: "unknownType", place, name: each });
  }
  if (properties !== undefined && !isObject(properties)) faults.push({ kind: "badProperties", place });
  if (required !== undefined) faults.push(...requiredFaults(required, properties, place));
  for (const [name, part] of isObject(properties) ? Object.entries(properties) : []) {
    if (isObject(part)) faults.push(...faultsOf(part, `${place}/properties/${name}`));
    else if (typeof part !== "boolean") faults.push({ kind: "badProperties", place });
  }
  if (isObject(items)) faults.push(...faultsOf(items, `${place}/items`));
  return faults;
}

function requiredFaults(required: Json, properties: Json | undefined, place: string): SchemaFault[] {
  if (!Array.isArray(required) || required.some((name) => typeof name !== "string"))
    return [{ kind: "badRequired", place }];
  if (!isObject(properties)) return [];
  return required
    .map(String)
    .filter((name) => !(name in properties))
    .map((name) => ({ kind: "notThere", place, name }));
}

/** Returns what of `text` does not keep to `schema`, a sentence each; none for what does. Null where it is no JSON. */
export function violations(text: string, schema: Schema): string[] | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  // It interprets the schema: what compiles one needs a policy that lets scripts make scripts.
  const { valid, errors } = new Validator(schema, "2020-12", false).validate(value);
  return valid ? [] : errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`);
}

/** The text with two blanks a level, or as it is where it is no JSON. */
export function tidied(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

const person: Schema = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 40 },
    age: { type: "integer", minimum: 0, maximum: 120 },
    hobbies: { type: "array", items: { type: "string", maxLength: 30 }, minItems: 1, maxItems: 3 },
  },
  required: ["name", "age", "hobbies"],
  additionalProperties: false,
};
const list: Schema = { type: "array", items: { type: "string", maxLength: 40 }, minItems: 3, maxItems: 5 };
const choice: Schema = {
  type: "object",
  properties: { mood: { enum: ["happy", "sad", "angry", "calm"] }, sure: { type: "boolean" } },
  required: ["mood", "sure"],
  additionalProperties: false,
};

export const EXAMPLES = { person, list, choice } as const;
