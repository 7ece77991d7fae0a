import { defineTexts } from "@/i18n/texts";

export const attachmentTexts = defineTexts({
  en: {
    attached: "Attached files",
    remove: (name: string) => `Remove ${name}`,
    reading: "is being read",
    pdf: "PDF text",
    large: (most: string) => `It is larger than ${most}.`,
    long: (most: string) => `It has more than ${most} characters.`,
    empty: "It is empty.",
    binary: "It is no text, and no PDF. Turn it into one of these first.",
    images: (model: string) => `${model} can't look at images: it reads text alone.`,
    password: "It is locked by a password.",
    damaged: "It can't be read: the PDF is damaged.",
    scanned: "It holds pictures of text, and no text.",
  },
  de: {
    attached: "Angehängte Dateien",
    remove: (name: string) => `${name} entfernen`,
    reading: "wird gelesen",
    pdf: "PDF-Text",
    large: (most: string) => `Sie ist größer als ${most}.`,
    long: (most: string) => `Sie hat mehr als ${most} Zeichen.`,
    empty: "Sie ist leer.",
    binary: "Sie ist weder Text noch PDF. Wandeln Sie sie zuerst um.",
    images: (model: string) => `${model} kann keine Bilder ansehen: es liest nur Text.`,
    password: "Sie ist mit einem Passwort gesperrt.",
    damaged: "Sie ist nicht lesbar: das PDF ist beschädigt.",
    scanned: "Sie enthält Bilder von Text und keinen Text.",
  },
});
