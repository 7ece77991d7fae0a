import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, test, vi } from "vitest";
import { RunButton } from "./RunButton";

function Form({ onRun }: { onRun: () => void }) {
  const [busy, setBusy] = useState(false);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onRun();
        setBusy(true);
      }}
    >
      <RunButton busy={busy} onStop={() => setBusy(false)} />
    </form>
  );
}

test("the click that stops does not begin again, and the keys stay where they are", async () => {
  const onRun = vi.fn();
  render(<Form onRun={onRun} />);
  await userEvent.tab();
  await userEvent.keyboard("{Enter}");
  expect(screen.getByRole("button", { name: "Stop" })).toHaveFocus();
  await userEvent.keyboard("{Enter}");
  expect(screen.getByRole("button", { name: "Run" })).toHaveFocus();
  await userEvent.click(screen.getByRole("button", { name: "Run" }));
  await userEvent.click(screen.getByRole("button", { name: "Stop" }));
  expect(onRun).toHaveBeenCalledTimes(2);
});
