import { Link } from "@tanstack/react-router";
import { Compass, TriangleAlert } from "lucide-react";
import { Component, type ReactNode } from "react";
import { Button } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";
import { useTexts } from "@/i18n/texts";
import { shellTexts } from "./texts";

/** Shows words instead of a blank page where a component throws. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    return this.state.error === null ? this.props.children : <ErrorPage error={this.state.error} />;
  }
}

export function ErrorPage({ error }: { error: unknown }) {
  const texts = useTexts(shellTexts);
  return (
    <div role="alert" className="h-full overflow-y-auto">
      <EmptyState
        icon={<TriangleAlert />}
        title={texts.broken}
        action={
          <Button look="primary" onClick={() => location.reload()}>
            {texts.reload}
          </Button>
        }
      >
        <p>{texts.brokenText}</p>
        <pre className="mt-3 rounded-md bg-sunken p-2 text-left text-xs whitespace-pre-wrap">
          {error instanceof Error ? error.message : String(error)}
        </pre>
      </EmptyState>
    </div>
  );
}

export function NotFoundPage() {
  const texts = useTexts(shellTexts);
  return (
    <>
      <h1 className="sr-only">{texts.notFound}</h1>
      <EmptyState
        icon={<Compass />}
        title={texts.notFound}
        action={
          <Link to="/" className="text-accent-ink underline">
            {texts.toChat}
          </Link>
        }
      >
        {texts.notFoundText}
      </EmptyState>
    </>
  );
}
