import { defineTexts } from "@/i18n/texts";

export const sidebarTexts = defineTexts({
  en: {
    archive: "Archive",
    unarchive: "Take out of the archive",
    archived: "Archived chats",
    nothingArchived: "No chat is archived.",
    chatArchived: (title: string) => `“${title}” is archived.`,
    back: "Back to the chats",
  },
  de: {
    archive: "Archivieren",
    unarchive: "Aus dem Archiv holen",
    archived: "Archivierte Chats",
    nothingArchived: "Kein Chat ist archiviert.",
    chatArchived: (title: string) => `„${title}“ ist archiviert.`,
    back: "Zurück zu den Chats",
  },
});
