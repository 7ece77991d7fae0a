import { FileCode, FileText, FileWarning, ImageIcon, TextCursorInput, X } from "lucide-react";
import { IconButton } from "@/components/Button";
import { Spinner } from "@/components/Spinner";
import { type Formatter, useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { languageOf } from "./languages";
import { RefusedFile } from "./readFile";
import { attachmentTexts } from "./texts";
import type { Attached, Attachments } from "./useAttachments";

interface AttachmentChipsProps {
  attachments: Attachments;
  /** Puts a text into the message itself. */
  onInsert: (text: string) => void;
}

/** What is attached to the message that is being written. */
export default function AttachmentChips({ attachments, onInsert }: AttachmentChipsProps) {
  const texts = useTexts(attachmentTexts);
  return (
    <ul
      aria-label={texts.attached}
      aria-live="polite"
      className="flex max-h-40 flex-wrap gap-2 overflow-y-auto px-1 pb-2"
    >
      {attachments.list.map((file) => (
        <Chip key={file.id} file={file} onInsert={onInsert} onRemove={() => attachments.remove(file.id)} />
      ))}
    </ul>
  );
}

interface ChipProps {
  file: Attached;
  onInsert: (text: string) => void;
  onRemove: () => void;
}

function Chip({ file, onInsert, onRemove }: ChipProps) {
  const texts = useTexts(attachmentTexts);
  const format = useFormat();
  const { size, content, error, progress } = file;
  // What was pasted as a text has none.
  const isPasted = file.name === "";
  const name = isPasted ? texts.pasted : file.name;
  const isPdf = content?.type === "file" && content.media_type === "application/pdf";
  const kind = isPdf ? texts.pdf : languageOf(name);
  const reading = progress === null ? texts.reading : `${texts.reading} (${format.number(progress * 100)} %)`;
  const about = [kind, format.bytes(size)].filter((word) => word !== undefined).join(" · ");
  return (
    <li
      className={`flex max-w-full items-center gap-2 rounded-md border py-1 pr-1 pl-2 text-sm ${error === null ? "border-line bg-sunken" : "border-danger bg-danger-soft text-danger"}`}
    >
      <span aria-hidden className="shrink-0 [&_svg]:size-4">
        {error !== null ? (
          <FileWarning />
        ) : content === null ? (
          <Spinner />
        ) : content.type === "image" ? (
          <ImageIcon />
        ) : languageOf(name) === undefined ? (
          <FileText />
        ) : (
          <FileCode />
        )}
      </span>
      <span className="min-w-0">
        <span className="block truncate font-medium">{name}</span>
        <span className={`block text-xs ${error === null ? "text-muted" : "wrap-anywhere"}`}>
          {error !== null ? inWords(error, texts, format) : content === null ? reading : about}
        </span>
      </span>
      {isPasted && content?.type === "file" && (
        <IconButton
          label={texts.insert}
          size="small"
          onClick={() => {
            onInsert(content.text);
            onRemove();
          }}
        >
          <TextCursorInput />
        </IconButton>
      )}
      <IconButton label={texts.remove(name)} size="small" onClick={onRemove}>
        <X />
      </IconButton>
    </li>
  );
}

/** Says why a file can't be attached. */
function inWords(error: unknown, texts: (typeof attachmentTexts)["en"], format: Formatter): string {
  if (!(error instanceof RefusedFile)) return error instanceof Error ? error.message : String(error);
  const { refusal } = error;
  if (refusal.reason === "large") return texts.large(format.bytes(refusal.most));
  if (refusal.reason === "long") return texts.long(format.number(refusal.most));
  if (refusal.reason === "many") return texts.many(format.number(refusal.most));
  if (refusal.reason === "images") return texts.images(refusal.model);
  return texts[refusal.reason];
}
