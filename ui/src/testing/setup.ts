import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// A busy machine takes its time: a test waits for what comes, not for a second.
const PATIENCE = 20_000;
configure({ asyncUtilTimeout: PATIENCE });
const waitFor = vi.waitFor.bind(vi);
vi.waitFor = (callback, options) => waitFor(callback, options ?? PATIENCE);

// jsdom has no layout, and lacks what asks for it.
Object.assign(window, {
  matchMedia: (query: string) => ({
    // A machine with a mouse and a keyboard.
    matches: query === "(pointer: fine)",
    media: query,
    addEventListener: vi.fn(),
    removeEventListener: vi.fn(),
  }),
  ResizeObserver: class {
    observe() {}
    unobserve() {}
    disconnect() {}
  },
});
window.scrollTo = () => {};
Element.prototype.scrollIntoView ??= () => {};
Element.prototype.hasPointerCapture ??= () => false;

afterEach(() => {
  cleanup();
  localStorage.clear();
});
