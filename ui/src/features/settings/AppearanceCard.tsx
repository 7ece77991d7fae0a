import { Monitor, Moon, Sun } from "lucide-react";
import { setPreferences, usePreferences } from "@/app/preferences";
import { Card } from "@/components/Card";
import { Segmented } from "@/components/Segmented";
import { useTexts } from "@/i18n/texts";
import { settingsTexts } from "./texts";

/** How the application looks in this browser. */
export function AppearanceCard() {
  const texts = useTexts(settingsTexts);
  const { theme, language } = usePreferences();
  return (
    <Card title={texts.appearance}>
      <div className="flex flex-col gap-4">
        <Segmented
          label={texts.theme}
          value={theme}
          onChange={(value) => setPreferences({ theme: value })}
          options={[
            { value: "system", label: texts.system, icon: <Monitor aria-hidden /> },
            { value: "light", label: texts.light, icon: <Sun aria-hidden /> },
            { value: "dark", label: texts.dark, icon: <Moon aria-hidden /> },
          ]}
        />
        <Segmented
          label={texts.language}
          value={language}
          onChange={(value) => setPreferences({ language: value })}
          options={[
            { value: "en", label: "English" },
            { value: "de", label: "Deutsch" },
          ]}
        />
      </div>
    </Card>
  );
}
