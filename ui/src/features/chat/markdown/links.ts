const SCHEMES = new Set(["http:", "https:", "mailto:"]);
const IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,/i;

/** Returns `href` where it is an address that may be opened: whole, and of a scheme that runs nothing. */
export function safeHref(href: string): string | undefined {
  try {
    const url = new URL(href);
    return SCHEMES.has(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/** Whether `href` is a picture that is here already. Others are shown as links: a page asks no other host. */
export const isInlineImage = (href: string): boolean => IMAGE.test(href);

const ENTITY = /&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z\d]{2,32});/gi;

/** Returns `text` with its character references (`&amp;`) as the characters they stand for. */
export const decodeEntities = (text: string): string =>
  text.includes("&") ? text.replace(ENTITY, (entity) => decoded(entity)) : text;

const decoded = (entity: string): string =>
  new DOMParser().parseFromString(entity, "text/html").documentElement.textContent ?? entity;
