import { useNavigate } from "@tanstack/react-router";
import { Boxes } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Select } from "@/components/Field";
import { Skeleton } from "@/components/Skeleton";
import { useTexts } from "@/i18n/texts";
import { playgroundTexts } from "../texts";
import { type Capability, useModel } from "./useModel";

/** Lets a model be chosen that can do what the tool needs, and shows the tool for it, or the way to one. */
export function ModelGate({
  capabilities,
  children,
}: {
  capabilities: readonly Capability[];
  children: (model: string, select: ReactNode) => ReactNode;
}) {
  const texts = useTexts(playgroundTexts);
  const navigate = useNavigate();
  const { model, models, choose, isPending, error } = useModel(capabilities);
  if (error !== null) return <ErrorNotice error={error} />;
  if (isPending) return <Skeleton className="h-40" />;
  if (model === null)
    return (
      <EmptyState
        icon={<Boxes />}
        title={texts.noModel}
        action={<Button onClick={() => void navigate({ to: "/ui/models" })}>{texts.toModels}</Button>}
      >
        {texts.noModelWay}
      </EmptyState>
    );
  const select = (
    <Select
      label={texts.model}
      value={model}
      onChange={(event) => choose(event.target.value)}
      options={models.map((name) => ({ value: name, label: name }))}
    />
  );
  return children(model, select);
}
