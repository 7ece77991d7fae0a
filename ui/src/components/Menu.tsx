import { Slot } from "radix-ui";
import { type KeyboardEvent, lazy, type ReactNode, Suspense, useState } from "react";

const MenuPanel = lazy(() => import("./MenuPanel"));

export type MenuEntry =
  | {
      label: string;
      onSelect: () => void;
      icon?: ReactNode;
      keys?: string;
      danger?: boolean;
      disabled?: boolean;
      /** Makes it an entry that is on or off. */
      checked?: boolean;
    }
  | { label: string; icon?: ReactNode; entries: readonly MenuEntry[] }
  | "separator";

export interface MenuProps {
  /** The button that opens it. */
  trigger: ReactNode;
  entries: readonly MenuEntry[];
  align?: "start" | "end";
}

/** A menu of commands under a button. It is loaded when one first opens. */
export function Menu(props: MenuProps) {
  const [asked, setAsked] = useState(false);
  const closed = (
    <Slot.Root
      aria-haspopup="menu"
      aria-expanded={false}
      onClick={() => setAsked(true)}
      onKeyDown={(event: KeyboardEvent) => event.key === "ArrowDown" && setAsked(true)}
    >
      {props.trigger}
    </Slot.Root>
  );
  return asked ? (
    <Suspense fallback={closed}>
      <MenuPanel {...props} />
    </Suspense>
  ) : (
    closed
  );
}
