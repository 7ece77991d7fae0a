import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { renderPage } from "@/testing/render";
import { useCommands } from "./commands";

function Feature({ run }: { run: () => void }) {
  useCommands([
    { id: "act", label: "Act", keys: "mod+shift+a", run },
    { id: "plain", label: "Plain", keys: "j", run },
  ]);
  return <input aria-label="field" />;
}

test("a command runs by its keys and by no others", async () => {
  const run = vi.fn();
  renderPage(<Feature run={run} />);
  await screen.findByLabelText("field");
  await userEvent.keyboard("{Control>}a{/Control}");
  expect(run).not.toHaveBeenCalled();
  await userEvent.keyboard("{Control>}{Shift>}A{/Shift}{/Control}");
  expect(run).toHaveBeenCalledTimes(1);
});

test("a key without a modifier is typed into a field and runs nothing there", async () => {
  const run = vi.fn();
  renderPage(<Feature run={run} />);
  const field = await screen.findByLabelText("field");
  await userEvent.keyboard("j");
  expect(run).toHaveBeenCalledTimes(1);
  await userEvent.type(field, "j");
  expect(run).toHaveBeenCalledTimes(1);
  expect(field).toHaveValue("j");
});
