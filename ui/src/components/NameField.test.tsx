import { fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { NameField } from "./NameField";

function shown(opened: boolean) {
  const onChange = vi.fn();
  const onEnd = vi.fn();
  render(<NameField label="Title" name="Tides" className="" opened={opened} onChange={onChange} onEnd={onEnd} />);
  return { field: screen.getByRole("textbox", { name: "Title" }), onChange, onEnd };
}

test("Enter keeps a name, Escape puts it back, and neither while an input method composes", async () => {
  const { field, onChange } = shown(false);
  await userEvent.type(field, " of the sea");
  for (const key of ["Enter", "Escape"]) fireEvent.keyDown(field, { key, isComposing: true });
  expect(onChange).not.toHaveBeenCalled();
  expect(field).toHaveValue("Tides of the sea");
  await userEvent.keyboard("{Enter}");
  expect(onChange).toHaveBeenCalledExactlyOnceWith("Tides of the sea");
  await userEvent.type(field, "!{Escape}");
  expect(field).toHaveValue("Tides");
  expect(onChange).toHaveBeenCalledOnce();
});

test("leaving the field keeps what is typed, but no empty name and not the same one again", async () => {
  const { field, onChange } = shown(false);
  await userEvent.clear(field);
  await userEvent.tab();
  expect(field).toHaveValue("Tides");
  await userEvent.type(field, " ");
  await userEvent.tab();
  expect(onChange).not.toHaveBeenCalled();
  await userEvent.type(field, " at night");
  await userEvent.tab();
  expect(onChange).toHaveBeenCalledExactlyOnceWith("Tides at night");
});

test("a field that is opened to change a name has the focus, with all of it selected, and ends once", async () => {
  const { field, onChange, onEnd } = shown(true);
  expect(field).toHaveFocus();
  await userEvent.keyboard("Moon{Enter}");
  expect(onChange).toHaveBeenCalledExactlyOnceWith("Moon");
  expect(onEnd).toHaveBeenCalledOnce();
});
