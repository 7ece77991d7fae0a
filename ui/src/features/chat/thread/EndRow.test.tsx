import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { renderPage } from "@/testing/render";
import type { Message } from "../model";
import { type MessageActions, MessageActionsContext } from "./actions";
import { EndRow } from "./EndRow";

vi.mock("../probabilities/TokenButton", () => ({ TokenButton: () => null }));

const answer = (id: string, siblings = [id]): Message => ({
  id,
  role: "assistant",
  state: "done",
  parts: [{ kind: "text", text: `text of ${id}` }],
  siblings,
  turn: { id, parent: null, role: "assistant", created: 0, model: "m" },
});

test.each([
  ["all of an answer that goes on from its calls", answer("call"), answer("rest"), "call"],
  ["a branch behind its calls, and not the others", answer("call"), answer("rest", ["rest", "edited"]), "rest"],
  ["a branch of the calls", answer("call", ["call", "again"]), answer("rest"), "call"],
])("what is deleted is %s", async (_, call, rest, removed) => {
  const remove = vi.fn();
  renderPage(
    <MessageActionsContext value={{ remove } as unknown as MessageActions}>
      <EndRow message={rest} before={[call]} last />
    </MessageActionsContext>,
  );
  await userEvent.click(await screen.findByRole("button", { name: "More" }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "Delete from here on" }));
  await userEvent.click(await screen.findByRole("button", { name: "Delete" }));
  expect(remove).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ id: removed }));
});
