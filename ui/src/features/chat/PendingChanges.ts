/** What was changed in a chat and has not come to the server yet. Whoever asks for an answer waits for it. */
export class PendingChanges {
  private readonly told = new Set<Promise<unknown>>();
  private readonly typed = new Set<() => void>();

  /**
   * Has `tell`, which sends what was typed and has not settled yet, called before an answer is asked for. Returns how
   * to end that.
   */
  watch(tell: () => void): () => void {
    this.typed.add(tell);
    return () => this.typed.delete(tell);
  }

  /** The server is told of a change, and has taken it once `taken` resolves. */
  add(taken: Promise<unknown>): void {
    this.told.add(taken);
    const over = () => this.told.delete(taken);
    taken.then(over, over);
  }

  /** Tells what is typed, and waits for all that is on its way. Throws what the server refuses of it. */
  async settle(): Promise<void> {
    for (const tell of [...this.typed]) tell();
    await Promise.all(this.told);
  }
}
