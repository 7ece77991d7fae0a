import { describe, expect, it } from "vitest";
import { formatter } from "@/i18n/format";
import { contextSize, parameterSize, toolName } from "./facts";

const format = formatter("en");

describe("facts of models", () => {
  it("count weights as people do", () => {
    expect([134_515_008, 1_540_000_000, 8_030_000_000, 70_000_000_000, 0].map((n) => parameterSize(n, format))).toEqual(
      ["135M", "1.5B", "8B", "70B", ""],
    );
  });

  it("count contexts as people do", () => {
    expect([8192, 131_072, 2000, 512, 0].map((n) => contextSize(n, format))).toEqual([
      "8K",
      "128K",
      "2,000",
      "512",
      "",
    ]);
  });

  it("spell tools as they do", () => {
    expect([toolName("lmstudio"), toolName("other")]).toEqual(["LM Studio", "other"]);
  });
});
