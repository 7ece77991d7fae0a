import { describe, expect, it } from "vitest";
import {
  type ConversionChoice,
  type ConversionEstimate,
  change,
  defaultName,
  firstChoice,
  qualityOf,
  requantizes,
  shownChoices,
} from "./choices";

const choice = (type: string, more: Partial<ConversionChoice> = {}) =>
  ({ type, size: 1, why: "", importance: false, fallbacks: [], ...more }) as ConversionChoice;
const estimate = (choices: ConversionChoice[], more: Partial<ConversionEstimate> = {}) =>
  ({ format: "gguf", quantized: false, choices, ...more }) as ConversionEstimate;

describe("types to convert to", () => {
  it("are the usual ones at first, the best first, and all by their size", () => {
    const all = [choice("Q4_K_M", { size: 4 }), choice("IQ1_S", { size: 1 }), choice("Q8_0", { size: 8 })];
    expect(shownChoices(estimate(all), false).map(({ type }) => type)).toEqual(["Q8_0", "Q4_K_M"]);
    expect(shownChoices(estimate(all), true).map(({ type }) => type)).toEqual(["Q8_0", "Q4_K_M", "IQ1_S"]);
  });

  it("begin with the recommended one, unless it can't be had", () => {
    expect(firstChoice(estimate([choice("Q8_0"), choice("Q4_K_M")]))?.type).toBe("Q4_K_M");
    const few = [choice("Q4_K_M", { why: "is odd" }), choice("IQ1_S", { importance: true }), choice("Q8_0")];
    expect(firstChoice(estimate(few))?.type).toBe("Q8_0");
  });

  it("say how much of a model they keep", () => {
    expect(["", "F16", "Q8_0", "Q6_K", "Q5_K_S", "Q4_K_M", "4bit", "Q3_K_L", "IQ2_XS", "IQ1_S"].map(qualityOf)).toEqual(
      ["same", "lossless", "lossless", "tiny", "small", "balanced", "balanced", "noticeable", "large", "extreme"],
    );
  });

  it("need to be asked for where they quantize again", () => {
    const quantized = estimate([], { quantized: true });
    expect(requantizes(quantized, choice("Q4_K_M"))).toBe(true);
    expect(requantizes(quantized, choice(""))).toBe(false);
    expect(requantizes(quantized, choice("BF16"))).toBe(false);
    expect(requantizes(estimate([]), choice("Q4_K_M"))).toBe(false);
  });

  it("change the size by a part of it", () => {
    expect([change(100, 50), change(100, 107), change(0, 5)]).toEqual([-0.5, expect.closeTo(0.07), 0]);
  });

  it("name what is made as the server would", () => {
    expect(defaultName("smollm2", "Q4_K_M", "gguf")).toBe("smollm2-q4_k_m");
    expect(defaultName("org/big:latest", "", "mlx")).toBe("org/big-mlx");
    expect(defaultName("/models/big.gguf", "Q8_0", "gguf")).toBe("big-q8_0");
  });
});
