export type SchemaProblem =
  | { kind: "json"; at: string }
  | { kind: "object" | "required" | "properties" }
  | { kind: "type"; type: string };

export type CheckedSchema = { schema: Record<string, unknown> } | { problem: SchemaProblem };

const TYPES = new Set(["object", "array", "string", "number", "integer", "boolean", "null"]);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns the schema that `text` says, or what is wrong with it. The server looks closer, where it is used. */
export function checkSchema(text: string): CheckedSchema {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: { kind: "json", at: error instanceof Error ? error.message : String(error) } };
  }
  if (!isObject(value)) return { problem: { kind: "object" } };
  const problem = problemOf(value, 0);
  return problem === null ? { schema: value } : { problem };
}

function problemOf(schema: unknown, depth: number): SchemaProblem | null {
  if (!isObject(schema) || depth > 60) return null;
  const types = Array.isArray(schema.type) ? schema.type : schema.type === undefined ? [] : [schema.type];
  const wrong = types.find((type) => typeof type !== "string" || !TYPES.has(type));
  if (wrong !== undefined) return { kind: "type", type: String(wrong) };
  if (schema.required !== undefined && !isNames(schema.required)) return { kind: "required" };
  if (schema.properties !== undefined && !isObject(schema.properties)) return { kind: "properties" };
  const lists = [schema.anyOf, schema.oneOf, schema.allOf, schema.prefixItems].filter(Array.isArray).flat();
  const maps = [schema.properties, schema.$defs, schema.definitions].filter(isObject).flatMap(Object.values);
  for (const part of [...lists, ...maps, schema.items, schema.additionalProperties]) {
    const problem = problemOf(part, depth + 1);
    if (problem !== null) return problem;
  }
  return null;
}

const isNames = (value: unknown): boolean => Array.isArray(value) && value.every((name) => typeof name === "string");
