import { useState } from "react";
import { Badge, type Tone } from "@/components/Badge";
import { Card } from "@/components/Card";
import { CopyButton } from "@/components/CopyButton";
import { SearchField } from "@/components/Field";
import { Switch } from "@/components/Switch";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import type { ServerSetup, ShownSetting } from "./queries";
import { settingsTexts } from "./texts";
import { commandFor, hiddenCount, sectionsOf, shownValue } from "./values";

const TONES: Record<ShownSetting["source"], Tone> = {
  default: "neutral",
  file: "accent",
  environment: "success",
  option: "warning",
};

/** Every key of the server's configuration: its value, what set it, and how to change it. */
export function ConfigurationCard({ setup }: { setup: ServerSetup }) {
  const texts = useTexts(settingsTexts);
  const [sought, setSought] = useState("");
  const [changedOnly, setChangedOnly] = useState(false);
  const sections = sectionsOf(setup.settings, sought, changedOnly);
  const none =
    setup.settings.length === 0 ? texts.unknownSources : changedOnly && sought === "" ? texts.noneSet : texts.noneFound;
  return (
    <Card title={texts.configuration}>
      <p className="text-muted">
        {texts.configurationText} <code className="font-mono text-sm whitespace-nowrap text-ink">mlxr config set</code>.{" "}
        {texts.configurationOrder}
      </p>
      <p className="mt-1 wrap-anywhere text-muted">
        {texts.configurationFile}: <code className="font-mono text-sm text-ink">{setup.file}</code>
      </p>
      <div className="mt-4 flex flex-wrap items-center gap-x-6 gap-y-2">
        <SearchField label={texts.find} fieldClassName="min-w-48 flex-1" value={sought} onSearch={setSought} />
        <Switch label={texts.changedOnly} checked={changedOnly} onChange={setChangedOnly} />
      </div>
      {sections.length === 0 && <p className="py-8 text-center text-muted">{none}</p>}
      {sections.map(([section, settings]) => (
        <section key={section} className="mt-5">
          <h3 className="font-mono text-sm font-semibold text-muted">[{section}]</h3>
          <ul className="mt-1 divide-y divide-line border-y border-line">
            {settings.map((setting) => (
              <SettingRow key={setting.key} setting={setting} />
            ))}
          </ul>
        </section>
      ))}
    </Card>
  );
}

function SettingRow({ setting }: { setting: ShownSetting }) {
  const texts = useTexts(settingsTexts);
  const words = useServerWords();
  const name = setting.key.slice(setting.key.indexOf(".") + 1);
  const hidden = hiddenCount(setting);
  const value = shownValue(setting.value);
  const isSet = setting.source !== "default";
  const fallback = shownValue(setting.default);
  return (
    <li className="grid grid-cols-1 gap-x-4 gap-y-0.5 py-2 md:grid-cols-[minmax(0,1fr)_minmax(0,1.2fr)]">
      <div className="min-w-0">
        <p className="font-mono text-sm font-medium wrap-anywhere">{name}</p>
        {setting.about !== "" && <p className="text-sm text-muted first-letter:uppercase">{words(setting.about)}</p>}
      </div>
      <div className="flex min-w-0 items-start gap-2">
        <div className="min-w-0 flex-1">
          <p className="text-sm wrap-anywhere">
            <span className="font-mono">
              {hidden > 0 ? texts.secret(hidden) : value === "" ? <i className="text-muted">{texts.empty}</i> : value}
            </span>
            {!isSet && <span className="ml-2 text-muted">{texts.sources.default}</span>}
          </p>
          {isSet && (
            <p className="mt-0.5 flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-muted">
              <Badge tone={TONES[setting.source]}>{texts.sources[setting.source]}</Badge>
              <span className="font-mono text-xs wrap-anywhere">{setting.where}</span>
              {hidden === 0 && fallback !== value && fallback !== "" && (
                <span className="text-xs wrap-anywhere">{texts.insteadOf(fallback)}</span>
              )}
            </p>
          )}
        </div>
        {hidden === 0 && <CopyButton text={commandFor(setting)} label={texts.copyCommand(setting.key)} />}
      </div>
    </li>
  );
}
