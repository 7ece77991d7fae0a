import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { useTexts } from "@/i18n/texts";
import { modelsTexts } from "./texts";

export function ModelsPage() {
  const texts = useTexts(modelsTexts);
  return (
    <Page title={texts.title}>
      <Skeleton className="h-40" />
    </Page>
  );
}
