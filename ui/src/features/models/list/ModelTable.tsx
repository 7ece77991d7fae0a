import { type Column, Table } from "@/components/Table";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { contextSize, parameterSize } from "../facts";
import type { Model } from "../library";
import { modelsTexts } from "../texts";
import { LoadButton } from "./LoadButton";
import { ModelMenu, type ModelTask } from "./ModelMenu";
import { ModelName } from "./ModelName";
import { ModelState } from "./ModelState";
import type { Sort } from "./sorting";

interface ModelTableProps {
  models: readonly Model[];
  sort: Sort;
  onSort: (sort: Sort) => void;
  onTask: (model: Model, task: ModelTask) => void;
}

/** The models as a table, for wide screens. */
export function ModelTable({ models, sort, onSort, onTask }: ModelTableProps) {
  const texts = useTexts(modelsTexts);
  const format = useFormat();
  const sortable = (by: Sort, direction: "ascending" | "descending") => ({
    sort: { direction: sort === by ? direction : ("none" as const), onSort: () => onSort(by) },
  });
  const columns: readonly Column<Model>[] = [
    {
      id: "name",
      head: texts.name,
      cell: (model) => <ModelName model={model} />,
      className: "w-full",
      ...sortable("name", "ascending"),
    },
    { id: "family", head: texts.family, cell: ({ family }) => <span className="whitespace-nowrap">{family}</span> },
    {
      id: "parameters",
      head: texts.parameters,
      numeric: true,
      cell: ({ parameters }) => parameterSize(parameters, format),
      ...sortable("parameters", "descending"),
    },
    {
      id: "quantization",
      head: texts.quantization,
      cell: ({ quantization }) => <span className="whitespace-nowrap">{quantization}</span>,
    },
    {
      id: "size",
      head: texts.size,
      numeric: true,
      className: "whitespace-nowrap",
      cell: ({ size }) => format.bytes(size),
      ...sortable("size", "descending"),
    },
    {
      id: "context",
      head: texts.context,
      numeric: true,
      cell: (model) => contextSize(model.context_length, format),
    },
    {
      id: "state",
      head: texts.state,
      className: "min-w-40",
      cell: (model) => <ModelState model={model} />,
      ...sortable("loaded", "descending"),
    },
    {
      id: "actions",
      head: <span className="sr-only">{texts.actions}</span>,
      cell: (model) => (
        <div className="flex items-center justify-end gap-1">
          <LoadButton model={model} />
          <ModelMenu model={model} onTask={(task) => onTask(model, task)} />
        </div>
      ),
    },
  ];
  return <Table caption={texts.title} columns={columns} rows={models} rowKey={({ name }) => name} />;
}
