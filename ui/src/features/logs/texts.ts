import { defineTexts } from "@/i18n/texts";

export const logsTexts = defineTexts({
  en: {
    title: "Logs",
    search: "Search in messages and request ids",
    level: "Level",
    levels: {
      debug: "All levels",
      info: "Info and above",
      warning: "Warnings and errors",
      error: "Errors",
      critical: "Critical",
    },
    logger: "Part of the server",
    everything: "All parts",
    follow: "Follow",
    copyAll: "Copy all lines shown",
    copyLine: "Copy the line",
    traceback: "Traceback",
    lines: (count: string) => `${count} lines`,
    empty: "No such line",
    emptyHint: "Nothing that was logged lately has that level, part and text. New lines appear here as they come.",
  },
  de: {
    title: "Protokolle",
    search: "Meldungen durchsuchen",
    level: "Stufe",
    levels: {
      debug: "Alle Stufen",
      info: "Ab Info",
      warning: "Warnungen und Fehler",
      error: "Fehler",
      critical: "Kritisch",
    },
    logger: "Teil des Servers",
    everything: "Alle Teile",
    follow: "Folgen",
    copyAll: "Alle gezeigten Zeilen kopieren",
    copyLine: "Zeile kopieren",
    traceback: "Traceback",
    lines: (count: string) => `${count} Zeilen`,
    empty: "Keine solche Zeile",
    emptyHint:
      "Nichts zuletzt Geschriebenes hat diese Stufe, diesen Teil und Text. Neue Zeilen erscheinen hier von selbst.",
  },
});
