import { expect, test } from "vitest";
import { calculate } from "./arithmetic";

test.each([
  ["1 + 2 * 3", 7],
  ["(1 + 2) * 3", 9],
  ["2^3^2", 512],
  ["-2^2", -4],
  ["2**-1", 0.5],
  ["10 % 4 + 1_000", 1002],
  ["2(3 + 4)", 14],
  ["2 pi", 2 * Math.PI],
  ["sqrt(16) + max(1, 2, 3)", 7],
  ["5!", 120],
  ["1.5e3 / .5", 3000],
  ["6 × 7 ÷ 2 − 1", 20],
  ["log(1000) + ln(e)", 4],
])("%s is %d", (text, value) => expect(calculate(text)).toBeCloseTo(value, 12));

test.each([
  ["1 / 0", "division by zero"],
  ["sqrt(-1)", "no value"],
  ["(1 + 2", "not closed"],
  ["1 + ", "ends too early"],
  ["constructor(1)", "knows no constructor"],
  ["toString", "knows no tostring"],
  ["alert(1)", "knows no alert"],
  ["1; 2", "can't read"],
  ["1 2", "does not expect"],
  ["171!", "factorial"],
  ["(".repeat(5000), "nested too deeply"],
])("%s is refused in words", (text, words) => expect(() => calculate(text)).toThrow(words));
