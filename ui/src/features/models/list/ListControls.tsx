import { SearchField, Select } from "@/components/Field";
import { useTexts } from "@/i18n/texts";
import { modelsTexts } from "../texts";
import { SHOWS, type Show, SORTS, type Sort, showOf, sortOf } from "./sorting";

interface ListControlsProps {
  words: string;
  show: Show;
  sort: Sort;
  onChange: (change: { q?: string; show?: Show; sort?: Sort }) => void;
}

/** What of the models is shown, and in which order. */
export function ListControls({ words, show, sort, onChange }: ListControlsProps) {
  const texts = useTexts(modelsTexts);
  return (
    <div className="flex flex-wrap gap-2">
      <SearchField
        label={texts.search}
        value={words}
        fieldClassName="min-w-52 flex-1 max-sm:basis-full"
        onSearch={(q) => onChange({ q })}
      />
      <Select
        label={texts.show}
        labelHidden
        fieldClassName="max-sm:min-w-0 max-sm:flex-1"
        value={show}
        options={SHOWS.map((value) => ({ value, label: texts.shows[value] }))}
        onChange={(event) => onChange({ show: showOf(event.target.value) })}
      />
      <Select
        label={texts.sortBy}
        labelHidden
        fieldClassName="max-sm:min-w-0 max-sm:flex-1"
        value={sort}
        options={SORTS.map((value) => ({ value, label: texts.sorts[value] }))}
        onChange={(event) => onChange({ sort: sortOf(event.target.value) })}
      />
    </div>
  );
}
