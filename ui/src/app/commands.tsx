import { createContext, type ReactNode, use, useEffect, useId, useState, useSyncExternalStore } from "react";

/** Something a person can do from the command palette, and by its keys where it has some. */
export interface Command {
  id: string;
  label: string;
  run: () => void;
  /** Such as `mod+k`; `mod` is Command on a Mac and Control elsewhere. */
  keys?: string;
  group?: string;
  icon?: ReactNode;
  /** Other words that find it. */
  keywords?: readonly string[];
}

/** Holds the commands of what is on the screen. */
class CommandRegistry {
  private readonly byOwner = new Map<string, readonly Command[]>();
  private readonly listeners = new Set<() => void>();
  private list: readonly Command[] = [];

  register(owner: string, commands: readonly Command[]): void {
    this.byOwner.set(owner, commands);
    this.changed();
  }

  remove(owner: string): void {
    this.byOwner.delete(owner);
    this.changed();
  }

  readonly all = (): readonly Command[] => this.list;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private changed(): void {
    this.list = [...this.byOwner.values()].flat();
    for (const listener of this.listeners) listener();
  }
}

const Context = createContext(new CommandRegistry());

/** Keeps the commands, and runs the one whose keys are pressed. */
export function CommandProvider({ children }: { children: ReactNode }) {
  const [registry] = useState(() => new CommandRegistry());
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      const command = registry.all().find(({ keys }) => keys !== undefined && matches(keys, event));
      if (command === undefined) return;
      event.preventDefault();
      command.run();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [registry]);
  return <Context value={registry}>{children}</Context>;
}

/** Offers `commands` as long as the component is on the screen. */
export function useCommands(commands: readonly Command[]): void {
  const registry = use(Context);
  const owner = useId();
  // After each render, since what commands close over changes; only an open palette listens.
  useEffect(() => registry.register(owner, commands));
  useEffect(() => () => registry.remove(owner), [registry, owner]);
}

export function useAllCommands(): readonly Command[] {
  const registry = use(Context);
  return useSyncExternalStore(registry.subscribe, registry.all);
}

/** Whether `event` is the press of `keys`. Keys without a modifier do not count while somebody types. */
export function matches(keys: string, event: KeyboardEvent): boolean {
  const parts = keys.split("+");
  const key = parts.at(-1);
  const has = (name: string) => parts.includes(name);
  if (event.key.toLowerCase() !== key) return false;
  if (has("mod") !== (event.ctrlKey || event.metaKey) || has("alt") !== event.altKey) return false;
  // Signs such as ? are typed with Shift on some keyboards.
  if (/^[a-z0-9]$|^.{2,}$/.test(key) && has("shift") !== event.shiftKey) return false;
  return has("mod") || has("alt") || key.length > 1 || !isTypedInto(event.target);
}

const isTypedInto = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
