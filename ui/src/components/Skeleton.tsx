import { classes } from "./classes";

/** Holds the place of what is still being fetched, so that nothing jumps when it comes. */
export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={classes("animate-pulse rounded-md bg-hover", className)} />;
}
