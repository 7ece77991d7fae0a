import type { ComponentProps, ReactNode } from "react";
import { classes } from "./classes";
import { Spinner } from "./Spinner";
import { Tooltip } from "./Tooltip";

type Look = "primary" | "secondary" | "ghost" | "danger";

const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-on-accent border-transparent hover:bg-accent-hover",
  secondary: "bg-surface text-ink border-line hover:bg-hover",
  ghost: "bg-transparent text-ink border-transparent hover:bg-hover",
  danger: "bg-danger text-on-danger border-transparent hover:opacity-90",
};

const BASE =
  "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap " +
  "transition-colors disabled:opacity-50 disabled:pointer-events-none select-none pointer-coarse:min-h-11";

export interface ButtonProps extends ComponentProps<"button"> {
  look?: Look;
  size?: "small" | "medium";
  /** Shows that it is at work, and lets nobody press it again. */
  busy?: boolean;
  icon?: ReactNode;
}

export function Button({ look = "secondary", size = "medium", busy, icon, className, children, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={rest.disabled === true || busy === true}
      aria-busy={busy}
      className={classes(BASE, LOOKS[look], size === "small" ? "h-7 px-2 text-sm" : "h-8 px-3 text-base", className)}
    >
      {busy ? <Spinner /> : icon}
      {children}
    </button>
  );
}

export interface IconButtonProps extends Omit<ButtonProps, "children" | "icon"> {
  /** What it does: read to those who can't see it, shown to those who hover. */
  label: string;
  /** Keys that do the same, shown beside the label. */
  keys?: string;
  children: ReactNode;
}

export function IconButton({
  label,
  keys,
  look = "ghost",
  size = "medium",
  busy,
  className,
  children,
  ...rest
}: IconButtonProps) {
  return (
    <Tooltip text={label} {...(keys === undefined ? {} : { keys })}>
      <button
        type="button"
        {...rest}
        disabled={rest.disabled === true || busy === true}
        aria-label={label}
        className={classes(
          BASE,
          LOOKS[look],
          "pointer-coarse:min-w-11 [&_svg]:size-4",
          size === "small" ? "size-7" : "size-8",
          className,
        )}
      >
        {busy ? <Spinner /> : children}
      </button>
    </Tooltip>
  );
}
