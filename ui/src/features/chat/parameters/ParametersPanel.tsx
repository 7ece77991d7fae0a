import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button } from "@/components/Button";
import { Select, TextAreaField } from "@/components/Field";
import { Slider } from "@/components/Slider";
import { Switch } from "@/components/Switch";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { useChatController } from "../controller";
import type { AnswerParameters } from "../wire";
import { isChanged, SAMPLING } from "./fields";
import { ParameterRow } from "./ParameterRow";
import { Presets } from "./Presets";
import { modelParameters } from "./queries";
import { SchemaField } from "./SchemaField";
import { WholeField } from "./TypedField";
import { parameterTexts } from "./texts";
import { useParameters } from "./useParameters";

const LARGEST = 2 ** 31 - 1;
const ALTERNATIVES = 5;

/** How the chat's answers are made: each parameter with its default, whether it is changed, and the way back. */
export default function ParametersPanel() {
  const texts = useTexts(parameterTexts);
  const format = useFormat();
  const { model } = useChatController();
  const parameters = useParameters();
  const { data } = useQuery({ ...modelParameters(model ?? ""), enabled: model !== null });
  const { values, set } = parameters;
  const number = (name: keyof AnswerParameters): number | null => {
    const value = values[name];
    return typeof value === "number" ? value : null;
  };
  const fallback = (name: string): unknown => data?.defaults[name]?.value ?? null;

  const row = (name: keyof typeof texts.names, said: string, control: ReactNode) => (
    <ParameterRow
      key={name}
      name={texts.names[name]}
      fallback={said}
      ofModel={data?.defaults[name]?.source === "model"}
      changed={isChanged(values, name)}
      onReset={() => set(name, null)}
    >
      {control}
    </ParameterRow>
  );
  const whole = (name: "seed" | "max_tokens" | "context_length", none: string, min: number, max: number) => {
    const said = typeof fallback(name) === "number" ? format.number(fallback(name) as number) : none;
    return row(
      name,
      said,
      <WholeField
        label={texts.names[name]}
        hint={name === "seed" ? texts.about.seed : undefined}
        value={number(name)}
        placeholder={said}
        {...{ min, max }}
        onChange={(value) => set(name, value)}
      />,
    );
  };
  const stop = Array.isArray(values.stop) ? (values.stop as string[]) : null;
  const stopDefault = Array.isArray(fallback("stop")) ? (fallback("stop") as string[]) : [];
  const effort = typeof values.reasoning_effort === "string" ? values.reasoning_effort : "default";
  const keepAlive = number("keep_alive");
  const keepAlives = new Map(Object.entries(texts.keepAlives));
  if (keepAlive !== null && !keepAlives.has(String(keepAlive)))
    keepAlives.set(String(keepAlive), format.duration(keepAlive));
  return (
    <div className="flex flex-col gap-6">
      <Presets parameters={parameters} />
      {model !== null && <p className="text-sm text-muted">{texts.ofModel(model)}</p>}
      <Group title={texts.sampling}>
        {SAMPLING.map(({ name, min, max, step, fallback: none }) => {
          const own = fallback(name);
          const said = typeof own === "number" ? own : none;
          return row(
            name,
            name === "top_k" && said === 0 ? texts.off : format.number(said, 3),
            <Slider
              label={texts.names[name]}
              hint={texts.about[name]}
              value={number(name) ?? said}
              {...{ min, max, step }}
              onChange={(value) => set(name, value)}
            />,
          );
        })}
        {whole("seed", texts.random, -(2 ** 53) + 1, 2 ** 53 - 1)}
      </Group>
      <Group title={texts.limits}>
        {whole("max_tokens", texts.untilEnd, 1, LARGEST)}
        {whole("context_length", format.number(data?.context_length ?? 0), 1, data?.context_length || LARGEST)}
        {row(
          "stop",
          stopDefault.length === 0 ? texts.none : stopDefault.map((text) => JSON.stringify(text)).join(", "),
          <TextAreaField
            label={texts.names.stop}
            hint={texts.about.stop}
            rows={2}
            value={stop?.join("\n") ?? ""}
            onChange={(event) => set("stop", event.target.value === "" ? null : event.target.value.split("\n"))}
            className="font-mono text-sm!"
          />,
        )}
        {row(
          "keep_alive",
          texts.keepAlives.default ?? "",
          <Select
            label={texts.names.keep_alive}
            hint={texts.about.keep_alive}
            value={keepAlive === null ? "default" : String(keepAlive)}
            options={[...keepAlives].map(([value, label]) => ({ value, label }))}
            onChange={(event) =>
              set("keep_alive", event.target.value === "default" ? null : Number(event.target.value))
            }
          />,
        )}
      </Group>
      <Group title={texts.output}>
        {data?.capabilities.includes("thinking") === true &&
          row(
            "reasoning_effort",
            texts.efforts.default,
            <Select
              label={texts.names.reasoning_effort}
              value={effort}
              options={(["default", "none", "low", "medium", "high"] as const).map((value) => ({
                value,
                label: texts.efforts[value],
              }))}
              onChange={(event) =>
                set("reasoning_effort", event.target.value === "default" ? null : event.target.value)
              }
            />,
          )}
        {row(
          "json_schema",
          texts.formats.off,
          <SchemaField value={values.json_schema} onChange={(value) => set("json_schema", value)} />,
        )}
        {row(
          "top_logprobs",
          texts.off,
          <Switch
            label={texts.names.top_logprobs}
            hint={texts.about.top_logprobs}
            checked={number("top_logprobs") !== null}
            onChange={(on) => set("top_logprobs", on ? ALTERNATIVES : null)}
          />,
        )}
      </Group>
      <Button disabled={Object.values(values).every((value) => value == null)} onClick={() => parameters.replace({})}>
        {texts.resetAll}
      </Button>
    </div>
  );
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="flex flex-col gap-3">
      <h3 className="text-sm font-semibold text-muted">{title}</h3>
      {children}
    </section>
  );
}
