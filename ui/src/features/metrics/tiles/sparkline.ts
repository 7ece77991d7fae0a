/** Returns the path of a curve in a box of `width` by `height`, with gaps where a value is null. */
export function sparkline(values: readonly (number | null)[], width: number, height: number): string {
  const known = values.filter((value) => value !== null);
  const most = known.reduce((most, value) => Math.max(most, value), 0) || 1;
  const step = width / Math.max(values.length - 1, 1);
  let pen = "M";
  let path = "";
  for (const [index, value] of values.entries()) {
    if (value === null) {
      pen = "M";
      continue;
    }
    path += `${pen}${round(index * step)} ${round(height - (value / most) * height)}`;
    pen = "L";
  }
  return path;
}

const round = (value: number): number => Math.round(value * 10) / 10;
