// Sets the theme and the language before the first paint; src/app/preferences.ts keeps them.
(() => {
  const root = document.documentElement;
  try {
    const kept = JSON.parse(localStorage.getItem("mlxr.preferences") ?? "{}");
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = kept.theme === "light" || kept.theme === "dark" ? kept.theme : dark ? "dark" : "light";
    root.lang = kept.language ?? (navigator.language.startsWith("de") ? "de" : "en");
  } catch {
    root.dataset.theme = "light";
  }
})();
