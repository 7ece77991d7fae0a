import { Paperclip } from "lucide-react";
import { useRef } from "react";
import { IconButton } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { attachmentLabels } from "./labels";

/** Opens the system's choice of files. */
export function AttachButton({ onFiles }: { onFiles: (files: Iterable<File>) => void }) {
  const texts = useTexts(attachmentLabels);
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <IconButton label={texts.attach} onClick={() => input.current?.click()}>
        <Paperclip />
      </IconButton>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        data-testid="file-input"
        onChange={(event) => {
          onFiles(event.target.files ?? []);
          event.target.value = "";
        }}
      />
    </>
  );
}
