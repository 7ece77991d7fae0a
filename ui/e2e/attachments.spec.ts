import { expect, test } from "./harness/test";

test("text, code and PDFs are attached, and what can't be read is refused in words", async ({ page }) => {
  await page.goto("/");
  const input = page.getByTestId("file-input");
  await input.setInputFiles([
    { name: "hello.py", mimeType: "text/x-python", buffer: Buffer.from("print('hi')") },
    { name: "paper.pdf", mimeType: "application/pdf", buffer: pdfOf("The harbour opens at seven") },
    { name: "cat.png", mimeType: "image/png", buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47]) },
    { name: "odd.bin", mimeType: "application/octet-stream", buffer: Buffer.from([1, 0, 2, 0]) },
  ]);
  const chips = page.getByRole("list", { name: "Attached files" });
  await expect(chips.getByRole("listitem").filter({ hasText: "hello.py" })).toContainText("python");
  await expect(chips.getByRole("listitem").filter({ hasText: "paper.pdf" })).toContainText("PDF text");
  await expect(chips.getByRole("listitem").filter({ hasText: "cat.png" })).toContainText("can't look at images");
  await expect(chips.getByRole("listitem").filter({ hasText: "odd.bin" })).toContainText("no text, and no PDF");
  await chips.getByRole("button", { name: "Remove cat.png" }).click();
  await chips.getByRole("button", { name: "Remove odd.bin" }).click();
  await page.getByRole("textbox", { name: "Message" }).fill("When does the harbour open?");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(chips).toBeHidden();
  // An answer may say what a file is called, too.
  const sent = page.getByRole("region", { name: "Conversation" });
  await sent.getByText("paper.pdf").first().click();
  await expect(sent.getByText("The harbour opens at seven", { exact: true }).first()).toBeVisible();
  await expect(sent.getByText("hello.py").first()).toBeVisible();
});

test("files are pasted and dropped, and a picture is refused in words where no model looks at it", async ({ page }) => {
  await page.goto("/");
  const composer = page.getByRole("textbox", { name: "Message" });
  const chips = page.getByRole("list", { name: "Attached files" }).getByRole("listitem");
  await composer.evaluate((area) => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File(["milk and bread"], "list.txt", { type: "text/plain" }));
    area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  });
  await expect(chips.filter({ hasText: "list.txt" })).toContainText("14 B");
  const dragged = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["import os"], "tool.py"));
    data.items.add(new File([new Uint8Array([0x89, 0x50])], "cat.png", { type: "image/png" }));
    return data;
  });
  const thread = page.getByRole("heading", { name: "What shall we talk about?" });
  await thread.dispatchEvent("dragenter", { dataTransfer: dragged });
  await expect(page.getByText("Drop files to attach them")).toBeVisible();
  await thread.dispatchEvent("drop", { dataTransfer: dragged });
  await expect(page.getByText("Drop files to attach them")).toHaveCount(0);
  await expect(chips.filter({ hasText: "tool.py" })).toContainText("python");
  await expect(chips.filter({ hasText: "cat.png" })).toContainText("smollm2 can't look at images");
  await composer.fill("What is in them?");
  await page.getByRole("button", { name: "Send" }).click();
  const sent = page.getByRole("region", { name: "Conversation" });
  await expect(sent.getByText("tool.py").first()).toBeVisible();
  await expect(sent.getByText("list.txt").first()).toBeVisible();
  await expect(sent.getByText("cat.png")).toHaveCount(0);
});

test("a long text is pasted as a file, which can be put into the message after all", async ({ page }) => {
  await page.goto("/");
  const composer = page.getByRole("textbox", { name: "Message" });
  const chip = page.getByRole("list", { name: "Attached files" }).getByRole("listitem");
  const paste = (length: number) =>
    composer.evaluate((area, length) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", "word ".repeat(length / 5));
      area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, length);
  await paste(4_000);
  await paste(5_000);
  await expect(chip).toHaveCount(1);
  await expect(chip).toContainText("Pasted text");
  await composer.fill("Sum it up:");
  await chip.getByRole("button", { name: "Put it into the message" }).click();
  await expect(chip).toHaveCount(0);
  await expect(composer).toHaveValue(/^Sum it up:\n\nword word/);
});

/** The smallest PDF that shows a line of text. */
function pdfOf(text: string): Buffer {
  const stream = `BT /F1 24 Tf 72 700 Td (${text}) Tj ET`;
  const objects = [
    "<</Type/Catalog/Pages 2 0 R>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
    `<</Length ${stream.length}>>stream\n${stream}\nendstream`,
    "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
  ];
  let body = "%PDF-1.4\n";
  const places = objects.map((object, index) => {
    const at = body.length;
    body += `${index + 1} 0 obj${object}endobj\n`;
    return at;
  });
  const table = places.map((at) => `${String(at).padStart(10, "0")} 00000 n \n`).join("");
  const end = `xref\n0 6\n0000000000 65535 f \n${table}trailer<</Size 6/Root 1 0 R>>\nstartxref\n${body.length}\n%%EOF`;
  return Buffer.from(body + end, "latin1");
}
