import { useQuery } from "@tanstack/react-query";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { useTexts } from "@/i18n/texts";
import { AboutCard } from "./AboutCard";
import { AppearanceCard } from "./AppearanceCard";
import { ConfigurationCard } from "./ConfigurationCard";
import { KeyCard } from "./KeyCard";
import { serverSetup } from "./queries";
import { settingsTexts } from "./texts";

/** What this browser keeps, and what the server was started with. */
export function SettingsPage() {
  const texts = useTexts(settingsTexts);
  const setup = useQuery(serverSetup);
  return (
    <Page title={texts.title}>
      <div className="mx-auto flex max-w-3xl flex-col gap-5">
        <AppearanceCard />
        <KeyCard />
        {setup.error !== null && <ErrorNotice error={setup.error} onRetry={() => void setup.refetch()} />}
        {setup.isPending && <Skeleton className="h-60" />}
        {setup.data !== undefined && (
          <>
            <AboutCard setup={setup.data} />
            <ConfigurationCard setup={setup.data} />
          </>
        )}
      </div>
    </Page>
  );
}
