import { fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { renderPage } from "@/testing/render";
import { ChatContext, type ChatController } from "../controller";
import type { Message } from "../model";
import { MessageTree } from "../tree";
import { MessageActionsContext } from "./actions";
import { EditingProvider, useEditing } from "./editing";
import { UserRow } from "./UserRow";

afterEach(() => vi.restoreAllMocks());

const REQUESTS = [{ model: "m", tools: [] }];
vi.mock("../tools/useAnswerRequests", () => ({ useAnswerRequests: () => () => REQUESTS }));

const message = (id: string, text: string): Message => ({
  id,
  role: "user",
  state: "done",
  parts: [{ kind: "text", text }],
  siblings: [id],
  turn: { id, parent: null, role: "user", created: 0, content: [{ type: "text", text }] },
});

/** The arrow up in the composer. */
function Begin({ id, text }: { id: string; text: string }) {
  const { begin } = useEditing();
  return (
    <button type="button" onClick={() => begin(id, text)}>
      Begin
    </button>
  );
}

function shown(edit = vi.fn().mockResolvedValue(true)) {
  const nothing = () => {};
  const actions = { regenerate: nothing, goOn: nothing, edit, rewrite: edit, showBranch: nothing, remove: nothing };
  const chat = { model: "m", messages: [] as readonly Message[], tree: new MessageTree([]), actions };
  renderPage(
    <ChatContext value={chat as unknown as ChatController}>
      <MessageActionsContext value={actions}>
        <EditingProvider chat="c">
          <UserRow message={message("a", "one")} />
          <UserRow message={message("b", "two")} />
          <Begin id="b" text="two" />
        </EditingProvider>
      </MessageActionsContext>
    </ChatContext>,
  );
  return edit;
}

const areas = () => screen.queryAllByRole<HTMLTextAreaElement>("textbox", { name: "Edit" });
const values = () => areas().map(({ value }) => value);

test("two messages are changed beside each other, and one that is begun again keeps what is typed", async () => {
  shown();
  await userEvent.click((await screen.findAllByRole("button", { name: "Edit" }))[0] as HTMLElement);
  await userEvent.keyboard(" and more");
  await userEvent.click(screen.getByRole("button", { name: "Begin" }));
  await userEvent.keyboard(" as well");
  await userEvent.click(screen.getByRole("button", { name: "Begin" }));
  await userEvent.keyboard("!");
  expect(values()).toEqual(["one and more", "two as well!"]);
});

test("a changed message asks for an answer with the chat's tools, and is back where the server refuses it", async () => {
  const edit = shown(vi.fn().mockResolvedValue(false));
  await userEvent.click((await screen.findAllByRole("button", { name: "Edit" }))[0] as HTMLElement);
  await userEvent.keyboard(" and more{Enter}");
  expect(edit).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ id: "a" }), "one and more", REQUESTS);
  await waitFor(() => expect(values()).toEqual(["one and more"]));
});

test("on a touch screen Enter begins a line of a message that is changed", async () => {
  vi.spyOn(window, "matchMedia").mockReturnValue({ matches: false } as MediaQueryList);
  const edit = shown();
  await userEvent.click((await screen.findAllByRole("button", { name: "Edit" }))[0] as HTMLElement);
  await userEvent.keyboard("{Enter}more");
  expect(values()).toEqual(["one\nmore"]);
  expect(edit).not.toHaveBeenCalled();
});

test("Escape and Enter are the input method's as long as it composes", async () => {
  const edit = shown();
  await userEvent.click((await screen.findAllByRole("button", { name: "Edit" }))[0] as HTMLElement);
  const area = screen.getByRole("textbox", { name: "Edit" });
  for (const key of ["Escape", "Enter"]) fireEvent.keyDown(area, { key, isComposing: true });
  expect(values()).toEqual(["one"]);
  expect(edit).not.toHaveBeenCalled();
  fireEvent.keyDown(area, { key: "Escape" });
  expect(values()).toEqual([]);
});
