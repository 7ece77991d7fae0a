const make = (tag, text, parent) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
};

const describe = (schema, root, depth = 0) => {
  if (!schema || depth > 6) return "any";
  if (schema.$ref) return schema.$ref.split("/").pop().split(".").pop();
  if (schema.enum) return schema.enum.map(JSON.stringify).join(" | ");
  const options = schema.anyOf || schema.oneOf;
  if (options) return options.map((s) => describe(s, root, depth + 1)).join(" | ");
  if (schema.type === "array") return `[${describe(schema.items, root, depth + 1)}]`;
  return String(schema.type ?? "any");
};

const resolve = (schema, root) =>
  schema?.$ref ? root.components.schemas[decodeURIComponent(schema.$ref.split("/").pop())] : schema;

// The structs that a field's value is, or may be, or is a list of.
const structs = (schema, root) => {
  if (!schema) return [];
  if (schema.$ref) {
    const found = resolve(schema, root);
    return found?.properties ? [found] : structs(found, root);
  }
  return [...(schema.anyOf ?? schema.oneOf ?? []), ...(schema.items ? [schema.items] : [])]
    .flatMap((part) => structs(part, root));
};

const note = (value, root) => {
  const facts = resolve(value, root) ?? {};
  const text = value.description ?? facts.description ?? "";
  const fallback = value.default;
  const shown = fallback === undefined || fallback === null ? "" : `default ${JSON.stringify(fallback)}`;
  return [text, shown].filter(Boolean).join("; ");
};

const table = (schema, root, parent) => {
  const rows = make("table", undefined, parent);
  for (const [name, value] of Object.entries(schema?.properties ?? {})) {
    const row = make("tr", undefined, rows);
    make("code", name + (schema.required?.includes(name) ? " *" : ""), make("td", undefined, row));
    const cell = make("td", undefined, row);
    make("span", describe(value, root), cell);
    const said = note(value, root);
    if (said) make("span", `  ${said}`, cell).className = "muted";
    for (const part of structs(value, root)) {
      // Made when it is opened: structs hold each other.
      const inner = make("details", undefined, cell);
      make("summary", part.title ?? "fields", inner);
      inner.addEventListener("toggle", () => inner.open && inner.childElementCount === 1 && table(part, root, inner));
    }
  }
};

// What fields mean whose schema says no more than that they are texts.
const SAMPLES = { model: () => known, role: () => "user", content: () => "Hello", prompt: () => "Hello",
  input: () => "Hello", max_tokens: () => 64 };
const ASKED = ["messages", "input", "prompt", "content"];
let known = "smollm2";

const example = (schema, root, name = "", depth = 0) => {
  if (SAMPLES[name]) return SAMPLES[name]();
  const facts = resolve(schema, root) ?? {};
  if (depth > 5) return null;
  if (facts.const !== undefined) return facts.const;
  if (facts.enum) return facts.enum[0];
  const options = facts.anyOf ?? facts.oneOf;
  if (options) return example(options.find((s) => s.type !== "null"), root, name, depth + 1);
  if (facts.properties) {
    const keys = Object.keys(facts.properties);
    const needed = keys.filter((key) => facts.required?.includes(key));
    // Of the ways to say what to answer, which go without each other, one.
    const asked = ASKED.some((key) => needed.includes(key)) ? [] : ASKED.filter((key) => keys.includes(key)).slice(0, 1);
    const wanted = keys.filter((key) => key === "model" || needed.includes(key) || asked.includes(key));
    return Object.fromEntries(wanted.map((key) => [key, example(facts.properties[key], root, key, depth + 1)]));
  }
  const plain = { array: () => [example(facts.items, root, "", depth + 1)], integer: () => facts.minimum ?? 1,
    number: () => facts.minimum ?? 1, boolean: () => false, object: () => ({}) };
  return (plain[facts.type] ?? (() => "Hello"))();
};

const tryIt = (method, path, sample, parent) => {
  const input = make("input", undefined, make("p", undefined, parent));
  input.value = path;
  input.size = 60;
  const body = sample === null ? null : make("textarea", sample, parent);
  if (body) body.rows = 6;
  const button = make("button", `${method.toUpperCase()} it`, parent);
  const output = make("pre", "", parent);
  output.hidden = true;
  button.onclick = async () => {
    output.hidden = false;
    output.textContent = "";
    const headers = { "Content-Type": "application/json" };
    const key = document.getElementById("key").value;
    if (key) headers.Authorization = `Bearer ${key}`;
    try {
      const response = await fetch(input.value, { method: method.toUpperCase(), headers, body: body?.value });
      output.textContent = `${response.status}\n`;
      if (!response.body) return;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) output.textContent += part.value;
    } catch (error) {
      output.textContent += String(error);
    }
  };
};

const operation = (path, method, facts, root, parent) => {
  const box = make("details", undefined, parent);
  const line = make("summary", undefined, box);
  make("span", method.toUpperCase(), line).className = "method";
  make("code", path, line);
  make("span", `  ${facts.summary}`, line).className = "muted";
  const content = facts.requestBody?.content?.["application/json"];
  if (content) table(resolve(content.schema, root), root, box);
  const sample = content ? JSON.stringify(example(content.schema, root), null, 2) : facts.requestBody ? "" : null;
  tryIt(method, path, sample, box);
  return line;
};

const installed = async () => {
  const key = document.getElementById("key").value;
  const response = await fetch("/v1/models", { headers: key ? { Authorization: `Bearer ${key}` } : {} });
  return response.ok ? (await response.json()).data[0]?.id : undefined;
};

const start = async () => {
  const root = await (await fetch("/openapi.json")).json();
  known = (await installed().catch(() => undefined)) ?? known;
  document.getElementById("about").textContent = `Version ${root.info.version}. ${root.info.description}`;
  const sections = {};
  const lines = {};
  for (const [path, methods] of Object.entries(root.paths)) {
    for (const [method, facts] of Object.entries(methods)) {
      const tag = facts.tags[0];
      if (!sections[tag]) {
        sections[tag] = make("section", undefined, document.getElementById("routes"));
        make("h2", tag === "openai" ? "OpenAI" : tag, sections[tag]);
      }
      const alike = `${method} ${path.replace(/^\/v1/, "")}`;
      if (lines[alike]) {
        make("code", `  also ${path}`, lines[alike]).className = "muted";
      } else {
        lines[alike] = operation(path, method, facts, root, sections[tag]);
      }
    }
  }
};

start();
