import { defineTexts } from "@/i18n/texts";

export const promptTexts = defineTexts({
  en: {
    library: "Saved prompts",
    manage: "Saved prompts…",
    matching: "Saved prompts that match",
  },
  de: {
    library: "Vorlagen",
    manage: "Vorlagen…",
    matching: "Passende Vorlagen",
  },
});
