import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { commonTexts } from "@/i18n/common";
import { wordsForErrors } from "@/i18n/errors";
import { useTexts } from "@/i18n/texts";
import { IconButton } from "./Button";
import { useToast } from "./Toast";

/** Puts text into the clipboard and says so. `text` may be a function where making it costs something. */
export function CopyButton({
  text,
  label,
  className,
}: {
  text: string | (() => string);
  label?: string;
  className?: string;
}) {
  const common = useTexts(commonTexts);
  const toast = useToast();
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = () =>
    copyText(typeof text === "string" ? text : text()).then(
      () => setDone(true),
      (error: unknown) => toast({ tone: "danger", text: error instanceof Error ? error.message : String(error) }),
    );
  return (
    <IconButton
      label={done ? common.copied : (label ?? common.copy)}
      size="small"
      onClick={() => void copy()}
      {...(className === undefined ? {} : { className })}
    >
      {done ? <Check /> : <Copy />}
    </IconButton>
  );
}

/** Copies where the page has no clipboard, too: http:// addresses other than localhost. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error(wordsForErrors().notCopied);
}
