import { defineTexts } from "@/i18n/texts";

export const threadTexts = defineTexts({
  en: {
    fromQuestion: "Answer again from the question",
    readAloud: "Read aloud",
    stopReading: "Stop reading",
    rewrite: "Edit the answer",
    rewriteHint: "Saving it makes another branch; this one stays.",
  },
  de: {
    fromQuestion: "Von der Frage an neu beantworten",
    readAloud: "Vorlesen",
    stopReading: "Nicht weiter vorlesen",
    rewrite: "Antwort bearbeiten",
    rewriteHint: "Speichern macht einen neuen Zweig; dieser bleibt.",
  },
});
