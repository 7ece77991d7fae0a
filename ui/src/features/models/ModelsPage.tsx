import { useNavigate, useSearch } from "@tanstack/react-router";
import { Boxes, Download, FolderInput, SearchX } from "lucide-react";
import { useState } from "react";
import { useCommands } from "@/app/commands";
import { Button } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { useTexts } from "@/i18n/texts";
import { FirstModel } from "./FirstModel";
import { JobsPanel } from "./jobs/JobsPanel";
import { type Library, type Model, useLibrary } from "./library";
import { ListControls } from "./list/ListControls";
import { ModelCards } from "./list/ModelCards";
import type { ModelTask } from "./list/ModelMenu";
import { ModelTable } from "./list/ModelTable";
import { chosen, showOf, sortOf } from "./list/sorting";
import { MemoryBar } from "./MemoryBar";
import { ModelDialogs, type Opened } from "./ModelDialogs";
import type { ModelsSearch } from "./routes";
import { modelsTexts } from "./texts";

/** Parts of the address that change; null takes one away. */
type Changes = { [Key in keyof ModelsSearch]?: string | null };

const withChanges = (old: ModelsSearch, changes: Changes): ModelsSearch =>
  Object.fromEntries(Object.entries({ ...old, ...changes }).filter(([, value]) => value !== null));

/** The dialog that an address opens. */
function openedBy({ pull, model }: ModelsSearch): Opened | null {
  if (pull !== undefined) return { task: "pull", name: pull };
  return model === undefined ? null : { task: "details", name: model };
}

/** The models of the server: what is installed and loaded, what goes on, and the ways to more. */
export function ModelsPage() {
  const texts = useTexts(modelsTexts);
  const { data, error, state, refetch } = useLibrary();
  const search = useSearch({ from: "/ui/models" });
  const navigate = useNavigate();
  const change = (changes: Changes, replace = false) =>
    void navigate({ to: "/ui/models", search: (old) => withChanges(old, changes), replace });
  const [task, setTask] = useState<Opened | null>(null);
  const openPull = () => change({ pull: "" });
  const openImport = () => setTask({ task: "import" });
  useCommands([
    { id: "models-pull", label: texts.pull, run: openPull, icon: <Download />, group: texts.title },
    { id: "models-import", label: texts.importModels, run: openImport, icon: <FolderInput />, group: texts.title },
  ]);
  const opened = task ?? openedBy(search);
  const close = () => (task === null ? change({ pull: null, model: null }) : setTask(null));
  const begin = (model: Model, what: ModelTask) =>
    what === "details" ? change({ model: model.name }) : setTask({ task: what, model });
  return (
    <Page
      title={texts.title}
      wide
      actions={
        <>
          <Button icon={<FolderInput aria-hidden className="size-4" />} onClick={openImport}>
            <span className="max-sm:sr-only">{texts.importModels}</span>
          </Button>
          <Button look="primary" icon={<Download aria-hidden className="size-4" />} onClick={openPull}>
            {texts.pull}
          </Button>
        </>
      }
    >
      <div className="mx-auto flex max-w-7xl flex-col gap-5">
        {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
        {data === undefined && !error && <Skeleton className="h-60" />}
        {data && state === "waiting" && (
          <p role="status" className="rounded-md bg-warning-soft px-3 py-2 text-warning">
            {texts.notConnected}
          </p>
        )}
        {data && (
          <Content
            library={data}
            search={search}
            onSearch={(changes) => change(changes, true)}
            onTask={begin}
            onPull={openPull}
          />
        )}
      </div>
      {opened && (
        <ModelDialogs opened={opened} models={data?.models ?? []} known={data !== undefined} onClose={close} />
      )}
    </Page>
  );
}

interface ContentProps {
  library: Library;
  search: ModelsSearch;
  onSearch: (changes: Changes) => void;
  onTask: (model: Model, task: ModelTask) => void;
  onPull: () => void;
}

function Content({ library, search, onSearch, onTask, onPull }: ContentProps) {
  const texts = useTexts(modelsTexts);
  const { models, jobs, machine } = library;
  const [words, show, sort] = [search.q ?? "", showOf(search.show), sortOf(search.sort)];
  const shown = chosen(models, words, show, sort);
  return (
    <>
      {machine && <MemoryBar machine={machine} />}
      <JobsPanel jobs={jobs} />
      {models.length === 0 ? (
        <FirstModel otherwise={<NoModels onPull={onPull} />} />
      ) : (
        <div className="flex flex-col gap-3">
          <ListControls words={words} show={show} sort={sort} onChange={onSearch} />
          {shown.length === 0 ? (
            <EmptyState
              icon={<SearchX />}
              title={texts.noMatch}
              action={<Button onClick={() => onSearch({ q: null, show: null })}>{texts.showAll}</Button>}
            >
              {texts.noMatchText}
            </EmptyState>
          ) : (
            <>
              <div className="max-lg:hidden">
                <ModelTable models={shown} sort={sort} onSort={(by) => onSearch({ sort: by })} onTask={onTask} />
              </div>
              <div className="lg:hidden">
                <ModelCards models={shown} onTask={onTask} />
              </div>
            </>
          )}
        </div>
      )}
    </>
  );
}

function NoModels({ onPull }: { onPull: () => void }) {
  const texts = useTexts(modelsTexts);
  return (
    <EmptyState
      icon={<Boxes />}
      title={texts.none}
      action={
        <Button look="primary" onClick={onPull}>
          {texts.pull}
        </Button>
      }
    >
      {texts.noneText}
    </EmptyState>
  );
}
