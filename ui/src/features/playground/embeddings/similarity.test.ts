import { expect, test } from "vitest";
import { cosine, nearestPair, similarities } from "./similarity";

test("similarity is the cosine of the angle, whatever the lengths", () => {
  expect(cosine([1, 0], [5, 0])).toBeCloseTo(1);
  expect(cosine([1, 0], [0, 2])).toBeCloseTo(0);
  expect(cosine([1, 1], [-1, -1])).toBeCloseTo(-1);
  expect(cosine([0, 0], [1, 1])).toBe(0);
});

test("the nearest pair is two different texts", () => {
  const vectors = [
    [1, 0],
    [0, 1],
    [0.1, 1],
  ];
  expect(nearestPair(similarities(vectors))).toEqual([1, 2]);
  expect(nearestPair(similarities([[1, 0]]))).toBeNull();
});
