import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { useTexts } from "@/i18n/texts";
import { logsTexts } from "./texts";

export function LogsPage() {
  const texts = useTexts(logsTexts);
  return (
    <Page title={texts.title}>
      <Skeleton className="h-40" />
    </Page>
  );
}
