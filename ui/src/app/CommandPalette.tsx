import { Command as Cmdk } from "cmdk";
import { Dialog } from "@/components/Dialog";
import { Kbd } from "@/components/Kbd";
import { useTexts } from "@/i18n/texts";
import { type Command, useAllCommands } from "./commands";
import { shellTexts } from "./texts";

/** Finds a command by its name and runs it. */
export default function CommandPalette({ onClose }: { onClose: () => void }) {
  const texts = useTexts(shellTexts);
  const groups = grouped(useAllCommands().filter(({ id }) => id !== "palette"));
  return (
    <Dialog open onClose={onClose} title={texts.palette}>
      <Cmdk label={texts.palette} className="flex flex-col gap-2">
        <Cmdk.Input
          autoFocus
          placeholder={texts.paletteHint}
          className="h-10 w-full rounded-md border border-line-strong bg-surface px-3 focus-visible:outline-1"
        />
        <Cmdk.List className="h-80 overflow-y-auto">
          <Cmdk.Empty className="p-4 text-center text-muted">{texts.paletteEmpty}</Cmdk.Empty>
          {groups.map(([group, commands]) => (
            <Cmdk.Group
              key={group}
              heading={group}
              className="[&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted"
            >
              {commands.map(({ id, label, icon, keys, keywords, run }) => (
                <Cmdk.Item
                  key={id}
                  value={id}
                  keywords={[label, ...(keywords ?? [])]}
                  onSelect={() => {
                    onClose();
                    run();
                  }}
                  className="flex h-9 items-center gap-2.5 rounded-sm px-2 data-[selected=true]:bg-hover pointer-coarse:h-11 [&_svg]:size-4"
                >
                  <span className="w-4 text-muted">{icon}</span>
                  <span className="flex-1 truncate">{label}</span>
                  {keys !== undefined && <Kbd keys={keys} />}
                </Cmdk.Item>
              ))}
            </Cmdk.Group>
          ))}
        </Cmdk.List>
      </Cmdk>
    </Dialog>
  );
}

function grouped(commands: readonly Command[]): [string, Command[]][] {
  const groups = new Map<string, Command[]>();
  for (const command of commands) {
    const group = command.group ?? "";
    groups.set(group, [...(groups.get(group) ?? []), command]);
  }
  return [...groups];
}
