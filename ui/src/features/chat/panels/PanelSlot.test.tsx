import { fireEvent, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { useCommands } from "@/app/commands";
import { renderPage } from "@/testing/render";
import { PanelSlot } from "./PanelSlot";

vi.mock("./registry", () => ({
  PANELS: [{ id: "notes", icon: () => null, useLabel: () => "Notes", Component: () => <input aria-label="Within" /> }],
}));

function Page({ onStop, onClose }: { onStop: () => void; onClose: () => void }) {
  useCommands([{ id: "stop", label: "Stop", keys: "escape", run: onStop }]);
  return <PanelSlot id="notes" onClose={onClose} />;
}

test("Escape within a panel closes it, and leaves the answer alone", async () => {
  const [onStop, onClose] = [vi.fn(), vi.fn()];
  renderPage(<Page onStop={onStop} onClose={onClose} />);
  const within = await screen.findByRole("textbox", { name: "Within" });
  fireEvent.keyDown(within, { key: "Escape", isComposing: true });
  expect(onClose).not.toHaveBeenCalled();
  fireEvent.keyDown(within, { key: "Escape" });
  expect(onClose).toHaveBeenCalledOnce();
  expect(onStop).not.toHaveBeenCalled();
  fireEvent.keyDown(document.body, { key: "Escape" });
  expect(onStop).toHaveBeenCalledOnce();
});
