import { Play, Square } from "lucide-react";
import { Button } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { playgroundTexts } from "../texts";

/** Begins what a form is about, and stops it while it goes on. Two elements: one that became the other within the click
 * that stops would send the form again. */
export function RunButton({ busy, onStop, disabled }: { busy: boolean; onStop: () => void; disabled?: boolean }) {
  const texts = useTexts(playgroundTexts);
  return busy ? (
    <Button key="stop" icon={<Square className="size-3.5" aria-hidden />} onClick={onStop}>
      {texts.stop}
    </Button>
  ) : (
    <Button
      key="run"
      look="primary"
      type="submit"
      disabled={disabled === true}
      icon={<Play className="size-3.5" aria-hidden />}
    >
      {texts.run}
    </Button>
  );
}
