import { renderHook } from "@testing-library/react";
import { expect, test } from "vitest";
import { useTabTitle } from "./useTabTitle";

test("the tab's title has a mark while an answer is followed, and none once that fails or the chat is left", () => {
  const chat = { title: "Tides", busy: true, error: null as Error | null };
  const { rerender, unmount } = renderHook(useTabTitle, { initialProps: chat });
  expect(document.title).toBe("● Tides · mlxr");
  rerender({ ...chat, error: new Error("refused") });
  expect(document.title).toBe("Tides · mlxr");
  rerender(chat);
  unmount();
  expect(document.title).toBe("mlxr");
});
