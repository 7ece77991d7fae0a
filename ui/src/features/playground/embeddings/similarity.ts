/** The cosine of the angle between two vectors; 0 where one of them has no length. */
export function cosine(a: readonly number[], b: readonly number[]): number {
  let product = 0;
  let lengthA = 0;
  let lengthB = 0;
  for (let index = 0; index < a.length; index += 1) {
    const [x, y] = [a[index] ?? 0, b[index] ?? 0];
    product += x * y;
    lengthA += x * x;
    lengthB += y * y;
  }
  return lengthA === 0 || lengthB === 0 ? 0 : product / Math.sqrt(lengthA * lengthB);
}

/** The similarity of each vector to each. */
export const similarities = (vectors: readonly (readonly number[])[]): number[][] =>
  vectors.map((a) => vectors.map((b) => cosine(a, b)));

/** The two different texts that are nearest to each other; null for fewer than two. */
export function nearestPair(matrix: readonly (readonly number[])[]): [number, number] | null {
  let best: [number, number] | null = null;
  let most = Number.NEGATIVE_INFINITY;
  matrix.forEach((row, a) => {
    row.forEach((value, b) => {
      if (b > a && value > most) [best, most] = [[a, b], value];
    });
  });
  return best;
}
