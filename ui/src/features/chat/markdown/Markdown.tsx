import type { Token } from "marked";
import { memo } from "react";
import "./markdown.css";
import type { Segment } from "./blocks";
import { CodeBlock } from "./CodeBlock";
import { Inline } from "./Inline";
import { MathView } from "./MathView";
import { TableView } from "./TableView";
import { asKnown, type KnownToken } from "./tokens";

/** Shows a segment of Markdown. `growing`: more text is still coming. */
export const SegmentView = memo(function SegmentView({ segment, growing }: { segment: Segment; growing: boolean }) {
  return segment.tokens.map((token, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: blocks are only ever added at the end
    <Block key={index} token={token} growing={growing && index === segment.tokens.length - 1} />
  ));
});

const Block = memo(function Block({ token, growing = false }: { token: Token; growing?: boolean }) {
  return <KnownBlock token={asKnown(token)} growing={growing} />;
});

function Blocks({ tokens }: { tokens: readonly Token[] }) {
  // biome-ignore lint/suspicious/noArrayIndexKey: blocks are only ever added at the end
  return tokens.map((token, index) => <Block key={index} token={token} />);
}

function KnownBlock({ token, growing }: { token: KnownToken; growing: boolean }) {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading": {
      // The page has a heading of its own above them.
      const Heading = `h${Math.min(6, token.depth + 1)}` as "h2";
      return (
        <Heading data-depth={token.depth}>
          <Inline tokens={token.tokens} />
        </Heading>
      );
    }
    case "paragraph":
      return (
        <p>
          <Inline tokens={token.tokens} />
        </p>
      );
    case "text":
      return token.tokens === undefined ? token.text : <Inline tokens={token.tokens} />;
    case "code":
      return <CodeBlock code={token.text} language={token.lang} growing={growing} />;
    case "math":
      return <MathView tex={token.tex} display={token.display} />;
    case "blockquote":
      return (
        <blockquote>
          <Blocks tokens={token.tokens} />
        </blockquote>
      );
    case "hr":
      return <hr />;
    case "list": {
      const items = token.items.map((item, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: items are only ever added at the end
        <ListItem key={index} tokens={item.tokens} task={item.task} />
      ));
      return token.ordered ? <ol start={token.start === "" ? 1 : token.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case "table":
      return <TableView table={token} />;
    default:
      // Of HTML the source is shown, and nothing of it is run.
      return <p className="whitespace-pre-wrap">{token.raw}</p>;
  }
}

const ListItem = memo(function ListItem({ tokens, task }: { tokens: readonly Token[]; task: boolean }) {
  return (
    <li data-task={task || undefined}>
      <Blocks tokens={tokens} />
    </li>
  );
});
