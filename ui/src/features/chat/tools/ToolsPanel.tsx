import { Plus } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { Button } from "@/components/Button";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Select } from "@/components/Field";
import { Switch } from "@/components/Switch";
import { useTexts } from "@/i18n/texts";
import { useChatController } from "../controller";
import { panelTexts } from "../panels/texts";
import { BUILT_IN } from "./builtin";
import { ServerSection } from "./ServerSection";
import { useToolSettings } from "./settings";
import { ToolRow } from "./ToolRow";
import { useTools } from "./ToolsProvider";
import { toolTexts } from "./texts";
import { useCanCall } from "./useCanCall";

const ServerDialog = lazy(() => import("./ServerDialog"));

/** Which tools models are told of, which calls need a word, and the servers that bring more. */
export default function ToolsPanel() {
  const texts = useTexts(toolTexts);
  const panel = useTexts(panelTexts);
  const { query, settings, setPrivateFetch } = useToolSettings();
  const [adds, setAdds] = useState(false);
  const { model } = useChatController();
  const able = useCanCall()(model);
  if (query.isError) return <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />;
  return (
    <div className="flex flex-col gap-6">
      {model !== null && able === false && (
        <p role="note" className="rounded-md bg-warning-soft px-3 py-2 text-warning">
          {panel.cantCall(model)}
        </p>
      )}
      <Choice />
      <section aria-label={texts.builtIn} className="flex flex-col gap-1">
        <h3 className="pb-1 text-sm font-semibold text-muted">{texts.builtIn}</h3>
        {BUILT_IN.map((tool) => (
          <ToolRow key={tool.id} tool={tool} />
        ))}
        <div className="py-1">
          <Switch
            label={texts.privateFetch}
            hint={setPrivateFetch.error?.message ?? texts.privateFetchText}
            checked={settings?.private_fetch === true}
            onChange={(allowed) => setPrivateFetch.mutate(allowed)}
          />
        </div>
      </section>
      <section aria-label={texts.servers} className="flex flex-col gap-3">
        <div>
          <h3 className="text-sm font-semibold text-muted">{texts.servers}</h3>
          <p className="text-sm text-muted">{texts.serversText}</p>
        </div>
        {settings?.servers.map((server) => (
          <ServerSection key={server.name} server={server} />
        ))}
        {settings?.servers.length === 0 && <p>{texts.noServers}</p>}
        <div>
          <Button icon={<Plus className="size-4" />} onClick={() => setAdds(true)}>
            {texts.add}
          </Button>
        </div>
      </section>
      <Suspense>{adds && <ServerDialog onClose={() => setAdds(false)} />}</Suspense>
    </div>
  );
}

/** Whether the next answer has to call a tool, and which. */
function Choice() {
  const texts = useTexts(toolTexts);
  const panel = useTexts(panelTexts);
  const { active, choice, setChoice } = useTools();
  const options = [
    { value: "auto", label: texts.choices.auto },
    { value: "required", label: texts.choices.required },
    { value: "none", label: texts.choices.none },
    ...active.map(({ id }) => ({ value: id, label: texts.choiceOf(id) })),
  ];
  return (
    <Select
      label={texts.choice}
      hint={active.length === 0 ? panel.toolsOn(0) : texts.choiceText}
      value={choice}
      disabled={active.length === 0}
      options={options}
      onChange={(event) => setChoice(event.target.value)}
    />
  );
}
