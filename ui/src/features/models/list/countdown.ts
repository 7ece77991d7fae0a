import type { LoadedState } from "../library";

/** Minutes and seconds, as 4:05; hours with 1:04:05. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Seconds until a model unloads if it is not used; null where it stays. `now`: milliseconds. */
export const secondsLeft = (loaded: Pick<LoadedState, "expires">, now: number): number | null =>
  loaded.expires === null ? null : Math.max(0, loaded.expires - now / 1000);
