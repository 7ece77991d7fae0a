import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { useTexts } from "@/i18n/texts";
import { requestsTexts } from "./texts";

export function RequestsPage() {
  const texts = useTexts(requestsTexts);
  return (
    <Page title={texts.title}>
      <Skeleton className="h-40" />
    </Page>
  );
}
