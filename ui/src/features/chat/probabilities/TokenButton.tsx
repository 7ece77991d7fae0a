import { Percent } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { IconButton } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import type { Message } from "../model";
import { probabilityTexts } from "./texts";

const TokenDialog = lazy(() => import("./TokenDialog"));

/** Shows an answer token by token, where it has probabilities. */
export function TokenButton({ message }: { message: Message }) {
  const texts = useTexts(probabilityTexts);
  const [open, setOpen] = useState(false);
  const tokens = message.turn.logprobs ?? [];
  if (tokens.length === 0) return null;
  return (
    <>
      <IconButton label={texts.show} size="small" onClick={() => setOpen(true)}>
        <Percent />
      </IconButton>
      <Suspense>{open && <TokenDialog tokens={tokens} onClose={() => setOpen(false)} />}</Suspense>
    </>
  );
}
