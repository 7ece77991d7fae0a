import { defineTexts } from "@/i18n/texts";

/** What is said before anything is attached; the rest comes with the first file. */
export const attachmentLabels = defineTexts({
  en: {
    attach: "Attach files",
    drop: "Drop files to attach them",
    wait: "Files are being read.",
  },
  de: {
    attach: "Dateien anhängen",
    drop: "Dateien hier ablegen, um sie anzuhängen",
    wait: "Dateien werden gelesen.",
  },
});
