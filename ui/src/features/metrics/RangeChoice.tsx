import { ToggleGroup } from "radix-ui";
import { useTexts } from "@/i18n/texts";
import { RANGES, type Range } from "./points";
import { metricsTexts } from "./texts";

/** Which part of the past is shown. */
export function RangeChoice({ value, onChange }: { value: Range; onChange: (range: Range) => void }) {
  const texts = useTexts(metricsTexts);
  return (
    <ToggleGroup.Root
      type="single"
      value={value}
      aria-label={texts.range}
      onValueChange={(chosen) => chosen in RANGES && onChange(chosen as Range)}
      className="flex rounded-md border border-line p-0.5"
    >
      {(Object.keys(RANGES) as Range[]).map((range) => (
        <ToggleGroup.Item
          key={range}
          value={range}
          className="h-6.5 rounded-sm px-2.5 text-sm font-medium text-muted hover:text-ink data-[state=on]:bg-accent-soft data-[state=on]:text-accent-ink pointer-coarse:h-11"
        >
          {texts.ranges[range]}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
