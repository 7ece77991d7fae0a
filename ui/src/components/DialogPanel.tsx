import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { IconButton } from "./Button";
import { classes } from "./classes";
import type { DialogProps } from "./Dialog";
import { useOpener } from "./useOpener";

const SIZES = { small: "max-w-md", medium: "max-w-xl", large: "max-w-4xl" };

const FIELDS = "textarea, input:is([type=text], [type=url], [type=search], [type=password])";

/** Begins in the first field, or with the dialog as a whole: not on the way out, which stands first. On a touch screen
 * a field would open the keyboard over it. */
function focusBegin(event: Event): void {
  const dialog = event.currentTarget as HTMLElement;
  const field = matchMedia("(pointer: fine)").matches ? dialog.querySelector<HTMLElement>(FIELDS) : null;
  event.preventDefault();
  (field ?? dialog).focus();
}

/** What `Dialog` shows while it is open. */
export default function DialogPanel({
  onClose,
  title,
  description,
  children,
  actions,
  size = "medium",
}: Omit<DialogProps, "open">) {
  const common = useTexts(commonTexts);
  const giveFocusBack = useOpener();
  return (
    <Radix.Root open onOpenChange={(next) => next || onClose()}>
      <Radix.Portal>
        {/* Not Radix's overlay, which locks scrolling with a style element that the page's policy refuses. */}
        <div aria-hidden className="fixed inset-0 z-40 bg-scrim" />
        <Radix.Content
          onOpenAutoFocus={focusBegin}
          onCloseAutoFocus={giveFocusBack}
          {...(description === undefined ? { "aria-describedby": undefined } : {})}
          className={classes(
            "fixed inset-x-3 top-[calc(var(--visible-height)/2)] z-40 mx-auto flex -translate-y-1/2 flex-col",
            "max-h-[calc(var(--visible-height)-48px)]",
            "rounded-lg border border-line bg-raised text-ink outline-none",
            SIZES[size],
          )}
        >
          <header className="flex items-start gap-3 px-5 pt-4 pb-3">
            <div className="min-w-0 flex-1">
              <Radix.Title className="text-lg font-semibold">{title}</Radix.Title>
              {description !== undefined && (
                <Radix.Description className="mt-1 text-muted">{description}</Radix.Description>
              )}
            </div>
            <IconButton
              label={common.close}
              onClick={onClose}
              size="small"
              className="pointer-coarse:-mt-2.5 pointer-coarse:-mr-3"
            >
              <X />
            </IconButton>
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto px-5 pt-1 pb-4">{children}</div>
          {actions !== undefined && (
            <footer className="flex flex-wrap justify-end gap-2 border-t border-line px-5 py-3">{actions}</footer>
          )}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
