import { useQuery, useQueryClient } from "@tanstack/react-query";
import { X } from "lucide-react";
import { IconButton } from "@/components/Button";
import { commonTexts } from "@/i18n/common";
import { sentence } from "@/i18n/sentence";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { chatsNotice, readNotice } from "./queries";

/** What people should know of all chats: that the disk is full, or that a damaged file was set aside. */
export function ChatsNotice() {
  const common = useTexts(commonTexts);
  const words = useServerWords();
  const client = useQueryClient();
  const { data: notice } = useQuery(chatsNotice);
  return (
    <div role="status">
      {notice && !notice.read && (
        <div className="mx-2 mb-1 flex items-start gap-1 rounded-md bg-warning-soft py-1 pr-1 pl-2 text-sm text-warning">
          <p className="min-w-0 flex-1 py-1 wrap-anywhere">{sentence(words(notice.text))}</p>
          <IconButton label={common.dismiss} size="small" onClick={() => readNotice(client)}>
            <X />
          </IconButton>
        </div>
      )}
    </div>
  );
}
