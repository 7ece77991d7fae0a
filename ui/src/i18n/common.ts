import { defineTexts } from "./texts";

/** Words that several features share. */
export const commonTexts = defineTexts({
  en: {
    cancel: "Cancel",
    close: "Close",
    save: "Save",
    delete: "Delete",
    retry: "Try again",
    copy: "Copy",
    copied: "Copied",
    loading: "Loading",
    search: "Search",
    more: "More",
    dismiss: "Dismiss",
  },
  de: {
    cancel: "Abbrechen",
    close: "Schließen",
    save: "Speichern",
    delete: "Löschen",
    retry: "Noch einmal versuchen",
    copy: "Kopieren",
    copied: "Kopiert",
    loading: "Wird geladen",
    search: "Suchen",
    more: "Mehr",
    dismiss: "Ausblenden",
  },
});
