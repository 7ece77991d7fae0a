import { Popover as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { classes } from "./classes";

export interface PopoverProps {
  trigger: ReactNode;
  children: ReactNode;
  /** What it holds, for those who can't see it. */
  label: string;
  align?: "start" | "center" | "end";
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  className?: string;
}

/** A small panel beside a button, for what is more than a menu. */
export function Popover({ trigger, children, label, align = "start", className, ...state }: PopoverProps) {
  return (
    <Radix.Root {...state}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          aria-label={label}
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className={classes(
            "z-50 max-h-(--radix-popover-content-available-height) w-80 max-w-[calc(100vw-16px)] overflow-y-auto",
            "rounded-md border border-line bg-raised p-3 text-ink shadow-lg shadow-scrim/10 outline-none",
            className,
          )}
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
