import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Ellipsis, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { IconButton } from "@/components/Button";
import { FIELD } from "@/components/classes";
import { ConfirmDialog } from "@/components/Dialog";
import { Menu } from "@/components/Menu";
import { NameField } from "@/components/NameField";
import { useToast } from "@/components/Toast";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";
import { deleteFolder, readRest, renameFolder } from "./queries";

/** A folder's name above its chats, and what can be done with the folder. */
export function FolderHeading({ id, name }: { id: string; name: string }) {
  const texts = useTexts(chatTexts);
  const common = useTexts(commonTexts);
  const client = useQueryClient();
  const toast = useToast();
  const [doing, setDoing] = useState<"rename" | "delete" | null>(null);
  const told = {
    onError: (error: Error) => toast({ tone: "danger", text: error.message }),
    onSettled: () => readRest(client),
  };
  const rename = useMutation({ mutationFn: (next: string) => renameFolder(id, next), ...told });
  const remove = useMutation({ mutationFn: () => deleteFolder(id), ...told, onSuccess: () => setDoing(null) });
  const shown = rename.isPending ? rename.variables : name;
  if (doing === "rename") {
    return (
      <NameField
        opened
        label={texts.folderName}
        name={name}
        maxLength={100}
        onChange={(next) => rename.mutate(next)}
        onEnd={() => setDoing(null)}
        className={`${FIELD} h-8 pointer-coarse:h-11`}
      />
    );
  }
  return (
    <div className="group/folder relative flex items-center">
      <h3 title={shown} className="min-w-0 flex-1 truncate pt-3 pr-8 pb-1 pl-2 text-xs font-medium text-muted">
        {shown}
      </h3>
      <div className="absolute right-0.5 bottom-0 opacity-0 group-hover/folder:opacity-100 focus-within:opacity-100 has-data-[state=open]:opacity-100 pointer-coarse:opacity-100">
        <Menu
          entries={[
            { label: texts.rename, icon: <Pencil />, onSelect: () => setDoing("rename") },
            { label: common.delete, icon: <Trash2 />, danger: true, onSelect: () => setDoing("delete") },
          ]}
          trigger={
            <IconButton label={texts.folderMenu(name)} size="small">
              <Ellipsis />
            </IconButton>
          }
        />
      </div>
      <ConfirmDialog
        open={doing === "delete"}
        onClose={() => setDoing(null)}
        onConfirm={() => remove.mutate()}
        busy={remove.isPending}
        title={texts.deleteFolder}
        description={texts.deleteFolderText(name)}
        action={common.delete}
      />
    </div>
  );
}
