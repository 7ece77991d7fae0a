/** Tells whether files are dragged, and not a part of the page or of another one. */
export const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") === true;
