import { clsx } from "clsx";

/** Joins class names; those that are false or undefined are left out. */
export const classes = clsx;

/** What every control that can be typed into looks like. */
export const FIELD =
  "w-full rounded-md border border-line-strong/60 bg-surface px-2.5 text-base text-ink hover:border-line-strong " +
  "focus-visible:border-accent focus-visible:outline-1 focus-visible:outline-offset-0 disabled:opacity-50 " +
  "aria-invalid:border-danger pointer-coarse:text-lg";
