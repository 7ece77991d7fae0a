const RELOADED = "mlxr.reloaded";
const AGAIN_MS = 10_000;

/** Lets the application be installed and open without the server, and loads the page anew where a build has gone. */
export function registerServiceWorker(): void {
  // A part of the page that is no longer on the server: it was built anew since the page was opened.
  window.addEventListener("vite:preloadError", (event) => {
    if (Date.now() - Number(sessionStorage.getItem(RELOADED)) < AGAIN_MS) return;
    sessionStorage.setItem(RELOADED, String(Date.now()));
    event.preventDefault();
    location.reload();
  });
  // Only where the address is trusted: localhost, or https.
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  const register = () => void navigator.serviceWorker.register("/ui/sw.js", { scope: "/" }).catch(() => {});
  if (document.readyState === "complete") register();
  else window.addEventListener("load", register, { once: true });
}
