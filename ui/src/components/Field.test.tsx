import { fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { expect, test } from "vitest";
import { SearchField } from "./Field";

function Search() {
  const [words, setWords] = useState("tides");
  return <SearchField label="Search" value={words} onSearch={setWords} />;
}

test("Escape empties a search, and is left to others where it is empty", () => {
  render(<Search />);
  const field = screen.getByRole("searchbox");
  // `fireEvent` tells whether the event is left to others.
  expect(fireEvent.keyDown(field, { key: "Escape" })).toBe(false);
  expect(field).toHaveValue("");
  expect(fireEvent.keyDown(field, { key: "Escape" })).toBe(true);
});
