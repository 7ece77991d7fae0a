import { Popover as Radix } from "radix-ui";
import { classes } from "./classes";
import type { PopoverProps } from "./Popover";

/** What `Popover` is once it was first opened. */
export default function PopoverPanel({ trigger, children, label, align = "start", className, ...state }: PopoverProps) {
  return (
    <Radix.Root {...(state.open === undefined ? { defaultOpen: true } : {})} {...state}>
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
