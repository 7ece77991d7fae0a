import type { Tool } from "../tool";

export const calculator: Tool = {
  id: "calculator",
  server: "",
  name: "calculator",
  description: "Works out an arithmetic expression exactly. Use it for every calculation.",
  parameters: {
    type: "object",
    properties: {
      expression: {
        type: "string",
        description: "As in (3 + 4) * 2^10 / sqrt(2). Angles are in radians; log is to base 10, ln natural.",
      },
    },
    required: ["expression"],
    additionalProperties: false,
  },
  run: async ({ expression }) => {
    if (typeof expression !== "string") throw new Error("`expression` is missing: it is a text such as 2 + 3");
    const { calculate } = await import("./arithmetic");
    // 0.1 + 0.2 is 0.3 to people.
    return String(Number(calculate(expression).toPrecision(15)));
  },
};
