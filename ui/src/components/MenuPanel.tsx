import { Check } from "lucide-react";
import { DropdownMenu as Radix } from "radix-ui";
import { classes } from "./classes";
import { Kbd } from "./Kbd";
import type { MenuEntry, MenuProps } from "./Menu";

const PANEL =
  "z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-44 overflow-y-auto rounded-md border border-line " +
  "bg-raised p-1 text-ink shadow-lg shadow-scrim/10";
const ENTRY =
  "flex min-h-8 cursor-default items-center gap-2 rounded-sm px-2 outline-none select-none data-disabled:opacity-50 " +
  "data-highlighted:bg-hover pointer-coarse:min-h-11 [&_svg]:size-4";

/** What `Menu` is once it was first opened. */
export default function MenuPanel({ trigger, entries, align = "end" }: MenuProps) {
  return (
    <Radix.Root modal={false} defaultOpen>
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
