import { Dialog } from "@/components/Dialog";
import { Kbd } from "@/components/Kbd";
import { useTexts } from "@/i18n/texts";
import { useAllCommands } from "./commands";
import { shellTexts } from "./texts";

/** Lists the keys of everything that can be done where the person is. */
export default function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  const texts = useTexts(shellTexts);
  return (
    <Dialog open onClose={onClose} title={texts.shortcuts} size="small">
      <dl className="divide-y divide-line">
        {useAllCommands().map(
          ({ id, label, keys }) =>
            keys !== undefined && (
              <div key={id} className="flex items-center justify-between gap-4 py-2">
                <dt>{label}</dt>
                <dd>
                  <Kbd keys={keys} />
                </dd>
              </div>
            ),
        )}
      </dl>
    </Dialog>
  );
}
