import { fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { ChatTitle } from "./ChatTitle";

test("Enter keeps a title, Escape puts it back, and neither while an input method composes", async () => {
  const onChange = vi.fn();
  render(<ChatTitle title="Tides" onChange={onChange} />);
  const field = screen.getByRole("textbox");
  await userEvent.type(field, " of the sea");
  for (const key of ["Enter", "Escape"]) fireEvent.keyDown(field, { key, isComposing: true });
  expect(onChange).not.toHaveBeenCalled();
  expect(field).toHaveValue("Tides of the sea");
  await userEvent.keyboard("{Enter}");
  expect(onChange).toHaveBeenCalledExactlyOnceWith("Tides of the sea");
  await userEvent.type(field, "!{Escape}");
  expect(field).toHaveValue("Tides");
});
