import { SearchField, Select } from "@/components/Field";
import { useTexts } from "@/i18n/texts";
import { LEVELS, type Level, type LogFilter } from "./lines";
import { useLoggers } from "./queries";
import { logsTexts } from "./texts";

/** Which lines are shown. */
export function LogFilters({ filter, onChange }: { filter: LogFilter; onChange: (filter: LogFilter) => void }) {
  const texts = useTexts(logsTexts);
  const { data = [] } = useLoggers();
  const names = data.includes(filter.logger) || filter.logger === "" ? data : [...data, filter.logger];
  return (
    <div className="flex flex-wrap gap-2 border-b border-line px-3 py-2 md:px-6">
      <SearchField
        label={texts.search}
        value={filter.text}
        maxLength={200}
        fieldClassName="min-w-48 flex-1 max-sm:basis-full"
        onSearch={(text) => onChange({ ...filter, text })}
      />
      <Select
        label={texts.level}
        labelHidden
        value={filter.level}
        fieldClassName="min-w-32 max-sm:flex-1"
        options={LEVELS.map((value) => ({ value, label: texts.levels[value] }))}
        onChange={({ target }) => onChange({ ...filter, level: target.value as Level })}
      />
      <Select
        label={texts.logger}
        labelHidden
        value={filter.logger}
        fieldClassName="min-w-40 max-sm:flex-1"
        options={[{ value: "", label: texts.everything }, ...names.map((value) => ({ value, label: value }))]}
        onChange={({ target }) => onChange({ ...filter, logger: target.value })}
      />
    </div>
  );
}
