import { createEvent, fireEvent, render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { DropZone } from "./DropZone";
import { LONG_PASTE, pastedFiles } from "./pastedFiles";

const note = new File(["milk"], "note.txt", { type: "text/plain" });
const picture = new File(["x"], "image.png", { type: "image/png" });

/** Has something dragged over the text within, as a browser tells of it. */
function drag(
  name: "dragEnter" | "dragOver" | "dragLeave" | "drop",
  types: readonly string[],
  files: readonly File[],
  over = "within",
) {
  const event = createEvent[name](screen.getByText(over));
  Object.defineProperty(event, "dataTransfer", { value: { types, files } });
  fireEvent(screen.getByText(over), event);
  return event;
}

test("files are taken wherever they are dropped, and the place says so while they are over the page", () => {
  const onFiles = vi.fn();
  render(
    <>
      <p>beside</p>
      <DropZone onFiles={onFiles}>
        <p>within</p>
      </DropZone>
    </>,
  );
  drag("dragEnter", ["Files"], []);
  expect(screen.getByText("Drop files to attach them")).toBeVisible();
  expect(drag("dragOver", ["Files"], []).defaultPrevented).toBe(true);
  expect(drag("drop", ["Files"], [note], "beside").defaultPrevented).toBe(true);
  expect(onFiles).toHaveBeenCalledExactlyOnceWith([note]);
  expect(screen.queryByText("Drop files to attach them")).toBeNull();
});

test("what is dragged over the page and holds no file stays the browser's", () => {
  const onFiles = vi.fn();
  render(
    <DropZone onFiles={onFiles}>
      <p>within</p>
    </DropZone>,
  );
  drag("dragEnter", ["text/plain"], []);
  expect(screen.queryByText("Drop files to attach them")).toBeNull();
  expect(drag("drop", ["text/plain"], []).defaultPrevented).toBe(false);
  expect(onFiles).not.toHaveBeenCalled();
});

test("nothing is taken behind a dialog", () => {
  const onFiles = vi.fn();
  const { container } = render(
    <DropZone onFiles={onFiles}>
      <p>within</p>
    </DropZone>,
  );
  container.setAttribute("aria-hidden", "true");
  drag("dragEnter", ["Files"], []);
  expect(screen.queryByText("Drop files to attach them")).toBeNull();
  expect(drag("dragOver", ["Files"], []).defaultPrevented).toBe(false);
  drag("drop", ["Files"], [note]);
  expect(onFiles).not.toHaveBeenCalled();
});

const clipboard = (types: readonly string[], ...files: File[]) => ({
  types,
  files: files as unknown as FileList,
  getData: () => "word ".repeat(LONG_PASTE / 5),
});

test("a pasted file is attached, but not the picture that an office program puts beside its text", () => {
  expect(pastedFiles(clipboard(["Files"], note))).toEqual([note]);
  expect(pastedFiles(clipboard(["Files"], picture))).toEqual([picture]);
  expect(pastedFiles(clipboard(["text/html", "Files"], picture))).toEqual([picture]);
  expect(pastedFiles(clipboard(["text/plain", "text/html", "Files"], picture))).toEqual([]);
  expect(pastedFiles(clipboard(["text/plain"]))).toEqual([]);
});

test("a text that is longer than a message should be is a file without a name", async () => {
  const text = "word ".repeat(LONG_PASTE);
  const [file, ...others] = pastedFiles({ ...clipboard(["text/plain", "text/html"]), getData: () => text });
  expect(others).toEqual([]);
  expect(file).toMatchObject({ name: "", size: text.length });
});
