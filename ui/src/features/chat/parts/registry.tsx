import type { ComponentType } from "react";
import type { Message, Part } from "../model";
import { CallPart } from "./CallPart";
import { FilePart } from "./FilePart";
import { ImagePart } from "./ImagePart";
import { ReasoningPart } from "./ReasoningPart";

export interface PartProps<Kind extends Part["kind"]> {
  part: Extract<Part, { kind: Kind }>;
  message: Message;
}

/** The view of each kind of part but text, which the list itself splits into rows. A new kind is a line here. */
const PART_VIEWS: { [Kind in Exclude<Part["kind"], "text">]: ComponentType<PartProps<Kind>> } = {
  reasoning: ReasoningPart,
  image: ImagePart,
  file: FilePart,
  call: CallPart,
};

export function PartView({ part, message }: { part: Part; message: Message }) {
  if (part.kind === "text") return null;
  const View = PART_VIEWS[part.kind] as ComponentType<{ part: Part; message: Message }>;
  return <View part={part} message={message} />;
}
