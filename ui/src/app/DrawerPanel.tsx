import { Dialog as Radix } from "radix-ui";
import { useOpener } from "@/components/useOpener";
import type { DrawerProps } from "./Drawer";

/** What `Drawer` shows while it is open. */
export default function DrawerPanel({ onClose, title, children }: Omit<DrawerProps, "open">) {
  const giveFocusBack = useOpener();
  return (
    <Radix.Root open onOpenChange={(next) => next || onClose()}>
      <Radix.Portal>
        {/* Not Radix's overlay, which locks scrolling with a style element that the page's policy refuses. */}
        <div aria-hidden className="fixed inset-0 z-30 bg-scrim" />
        <Radix.Content
          onCloseAutoFocus={giveFocusBack}
          aria-describedby={undefined}
          className="fixed top-0 left-0 z-30 box-content h-(--visible-height) w-80 max-w-[85vw] border-r border-line bg-sunken pl-[env(safe-area-inset-left)] outline-none"
        >
          <Radix.Title className="sr-only">{title}</Radix.Title>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
