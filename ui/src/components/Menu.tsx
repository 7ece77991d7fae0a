import { Check } from "lucide-react";
import { DropdownMenu as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { classes } from "./classes";
import { Kbd } from "./Kbd";

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

const PANEL =
  "z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-44 overflow-y-auto rounded-md border border-line " +
  "bg-raised p-1 text-ink shadow-lg shadow-scrim/10";
const ENTRY =
  "flex min-h-8 cursor-default items-center gap-2 rounded-sm px-2 outline-none select-none data-disabled:opacity-50 " +
  "data-highlighted:bg-hover pointer-coarse:min-h-11 [&_svg]:size-4";

/** A menu of commands under a button. */
export function Menu({ trigger, entries, align = "end" }: MenuProps) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className={PANEL} align={align} sideOffset={4} collisionPadding={8}>
          <Entries entries={entries} />
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Entries({ entries }: { entries: readonly MenuEntry[] }) {
  return entries.map((entry, index) => {
    // biome-ignore lint/suspicious/noArrayIndexKey: a separator has no name of its own
    if (entry === "separator") return <Radix.Separator key={index} className="my-1 h-px bg-line" />;
    if ("entries" in entry) {
      return (
        <Radix.Sub key={entry.label}>
          <Radix.SubTrigger className={ENTRY}>
            {entry.icon}
            <span className="flex-1">{entry.label}</span>
            <span aria-hidden>›</span>
          </Radix.SubTrigger>
          <Radix.Portal>
            <Radix.SubContent className={PANEL} sideOffset={4} collisionPadding={8}>
              <Entries entries={entry.entries} />
            </Radix.SubContent>
          </Radix.Portal>
        </Radix.Sub>
      );
    }
    const { label, onSelect, icon, keys, danger, disabled = false, checked } = entry;
    const shown = { disabled, onSelect, className: classes(ENTRY, danger === true && "text-danger") };
    if (checked !== undefined) {
      return (
        <Radix.CheckboxItem key={label} checked={checked} {...shown}>
          <Check aria-hidden className={checked ? "" : "invisible"} />
          {label}
        </Radix.CheckboxItem>
      );
    }
    return (
      <Radix.Item key={label} {...shown}>
        {icon}
        <span className="flex-1">{label}</span>
        {keys !== undefined && <Kbd keys={keys} />}
      </Radix.Item>
    );
  });
}
