import { Slot } from "radix-ui";
import { lazy, type ReactNode, Suspense, useState } from "react";

const PopoverPanel = lazy(() => import("./PopoverPanel"));

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

/** A small panel beside a button, for what is more than a menu. It is loaded when one first opens. */
export function Popover(props: PopoverProps) {
  const [asked, setAsked] = useState(false);
  const ask = () => {
    setAsked(true);
    props.onOpenChange?.(true);
  };
  const closed = (
    <Slot.Root aria-haspopup="dialog" aria-expanded={false} onClick={ask}>
      {props.trigger}
    </Slot.Root>
  );
  return asked || props.open === true ? (
    <Suspense fallback={closed}>
      <PopoverPanel {...props} />
    </Suspense>
  ) : (
    closed
  );
}
