import { LoaderCircle } from "lucide-react";
import { classes } from "./classes";

/** Turns while something is at work. What that is, words beside it say. */
export function Spinner({ className }: { className?: string }) {
  return <LoaderCircle aria-hidden className={classes("size-4 animate-spin", className)} />;
}
