import { defineTexts } from "@/i18n/texts";

export const temporaryTexts = defineTexts({
  en: {
    temporary: "Temporary",
    toggle: "Temporary chat",
    about: "A temporary chat: it is in no list, and is deleted once nobody has had it open for an hour.",
    keep: "Keep it",
  },
  de: {
    temporary: "Temporär",
    toggle: "Temporärer Chat",
    about:
      "Ein temporärer Chat: Er steht in keiner Liste und wird gelöscht, sobald ihn eine Stunde lang niemand offen hatte.",
    keep: "Behalten",
  },
});
