import { Play, Square } from "lucide-react";
import { Button } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { playgroundTexts } from "../texts";

/** Begins what a form is about, and stops it while it goes on. It is one element, which keeps the keys: the click that
 * stops is kept from sending the form, which it would do anew once it is the button that begins. */
export function RunButton({ busy, onStop, disabled }: { busy: boolean; onStop: () => void; disabled?: boolean }) {
  const texts = useTexts(playgroundTexts);
  return (
    <Button
      look={busy ? "secondary" : "primary"}
      type={busy ? "button" : "submit"}
      disabled={disabled === true && !busy}
      icon={busy ? <Square className="size-3.5" aria-hidden /> : <Play className="size-3.5" aria-hidden />}
      onClick={(event) => {
        if (!busy) return;
        event.preventDefault();
        onStop();
      }}
    >
      {busy ? texts.stop : texts.run}
    </Button>
  );
}
