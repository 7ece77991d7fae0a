import type { Token } from "marked";
import type { ReactNode } from "react";
import { decodeEntities, isInlineImage, safeHref } from "./links";
import { MathView } from "./MathView";
import { asKnown, type KnownToken } from "./tokens";

/** Shows what stands within a line. */
export function Inline({ tokens }: { tokens: readonly Token[] }) {
  // biome-ignore lint/suspicious/noArrayIndexKey: text is only ever added at the end
  return tokens.map((token, index) => <Span key={index} token={asKnown(token)} />);
}

function Span({ token }: { token: KnownToken }): ReactNode {
  switch (token.type) {
    case "text":
      return token.tokens === undefined ? decodeEntities(token.text) : <Inline tokens={token.tokens} />;
    case "escape":
      return token.text;
    case "strong":
      return (
        <strong>
          <Inline tokens={token.tokens} />
        </strong>
      );
    case "em":
      return (
        <em>
          <Inline tokens={token.tokens} />
        </em>
      );
    case "del":
      return (
        <del>
          <Inline tokens={token.tokens} />
        </del>
      );
    case "codespan":
      return <code>{token.text}</code>;
    case "br":
      return <br />;
    case "checkbox":
      return <input type="checkbox" checked={token.checked} readOnly aria-label={token.checked ? "✓" : "–"} />;
    case "math":
      return <MathView tex={token.tex} display={token.display} />;
    case "link":
      return (
        <SafeLink href={token.href}>
          <Inline tokens={token.tokens} />
        </SafeLink>
      );
    case "image":
      if (isInlineImage(token.href)) return <img src={token.href} alt={token.text} />;
      return <SafeLink href={token.href}>{token.text === "" ? token.href : token.text}</SafeLink>;
    default:
      return /^<br\s*\/?>$/i.test(token.raw) ? <br /> : token.raw;
  }
}

/** A link that opens elsewhere and tells nobody where from; only its text where its address may not be opened. */
function SafeLink({ href, children }: { href: string; children: ReactNode }) {
  const safe = safeHref(href);
  if (safe === undefined) return <span title={href}>{children}</span>;
  return (
    <a href={safe} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}
