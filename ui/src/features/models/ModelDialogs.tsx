import { CopyDialog } from "./actions/CopyDialog";
import { DeleteDialog } from "./actions/DeleteDialog";
import { PushDialog } from "./actions/PushDialog";
import { ConvertDialog } from "./convert/ConvertDialog";
import { DetailsDialog } from "./details/DetailsDialog";
import { ImportDialog } from "./import/ImportDialog";
import type { Model } from "./library";
import { PullDialog } from "./pull/PullDialog";

/** The dialog that is open, and what it is about. */
export type Opened =
  | { task: "pull"; name: string }
  | { task: "import" }
  | { task: "details"; name: string }
  | { task: "convert" | "copy" | "push" | "delete"; model: Model };

interface ModelDialogsProps {
  opened: Opened;
  models: readonly Model[];
  /** Whether it is known which models there are. */
  known: boolean;
  onClose: () => void;
}

export function ModelDialogs({ opened, models, known, onClose }: ModelDialogsProps) {
  switch (opened.task) {
    case "pull":
      return <PullDialog name={opened.name} onClose={onClose} />;
    case "import":
      return <ImportDialog onClose={onClose} />;
    case "details": {
      const model = models.find(({ name, aliases }) => name === opened.name || aliases.includes(opened.name));
      return known ? <DetailsDialog model={model} name={opened.name} onClose={onClose} /> : null;
    }
    case "convert":
      return <ConvertDialog model={opened.model} onClose={onClose} />;
    case "copy":
      return <CopyDialog model={opened.model} onClose={onClose} />;
    case "push":
      return <PushDialog model={opened.model} onClose={onClose} />;
    case "delete":
      return <DeleteDialog model={opened.model} onClose={onClose} />;
  }
}
