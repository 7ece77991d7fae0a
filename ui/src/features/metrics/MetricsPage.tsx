import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { useTexts } from "@/i18n/texts";
import { metricsTexts } from "./texts";

export function MetricsPage() {
  const texts = useTexts(metricsTexts);
  return (
    <Page title={texts.title}>
      <Skeleton className="h-40" />
    </Page>
  );
}
