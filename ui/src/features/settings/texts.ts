import { defineTexts } from "@/i18n/texts";

export const settingsTexts = defineTexts({
  en: {
    title: "Settings",
  },
  de: {
    title: "Einstellungen",
  },
});
