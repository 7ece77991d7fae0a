import { renderHook } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { useVisibleHeight } from "./useVisibleHeight";

afterEach(() => vi.unstubAllGlobals());

const height = () => document.documentElement.style.getPropertyValue("--visible-height");

/** A phone of 740 pixels whose browser lays pages out behind its keyboard. */
function phone() {
  const view = Object.assign(new EventTarget(), { height: 740, scale: 1 });
  vi.stubGlobal("visualViewport", view);
  vi.spyOn(document.documentElement, "clientHeight", "get").mockReturnValue(740);
  const moved = vi.fn();
  vi.stubGlobal("scrollTo", moved);
  const shows = (visible: number, scale = 1) => {
    Object.assign(view, { height: visible, scale });
    view.dispatchEvent(new Event("resize"));
  };
  return { shows, moved };
}

test("the page is as high as a keyboard leaves it, and all of it is in sight", () => {
  const { shows, moved } = phone();
  const { unmount } = renderHook(useVisibleHeight);
  shows(400);
  expect(height()).toBe("400px");
  expect(moved).toHaveBeenCalledWith(0, 0);
  shows(740);
  expect(height()).toBe("");
  shows(400);
  unmount();
  expect(height()).toBe("");
});

test("neither a browser's bars nor zooming in make the page smaller", () => {
  const { shows, moved } = phone();
  renderHook(useVisibleHeight);
  shows(650);
  shows(300, 2.4);
  expect(height()).toBe("");
  expect(moved).not.toHaveBeenCalled();
});
