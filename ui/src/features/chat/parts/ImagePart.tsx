import { Image } from "lucide-react";
import type { PartProps } from "./registry";

/** An image that was attached. */
export function ImagePart({ part: { image } }: PartProps<"image">) {
  return (
    <span className="inline-flex items-center gap-2 rounded-md border border-line bg-sunken px-3 py-2 text-sm">
      <Image aria-hidden className="size-4 text-muted" />
      {image.name === undefined || image.name === "" ? image.media_type : image.name}
    </span>
  );
}
