/** Languages by the ends of files' names, as the highlighter and models call them. */
const BY_ENDING = new Map(
  Object.entries({
    bash: "bash",
    c: "c",
    cc: "cpp",
    clj: "clojure",
    cpp: "cpp",
    cs: "csharp",
    css: "css",
    csv: "csv",
    dart: "dart",
    diff: "diff",
    ex: "elixir",
    go: "go",
    h: "c",
    hpp: "cpp",
    hs: "haskell",
    html: "html",
    ini: "ini",
    java: "java",
    jl: "julia",
    js: "javascript",
    json: "json",
    jsonl: "json",
    jsx: "javascript",
    kt: "kotlin",
    lua: "lua",
    m: "objectivec",
    md: "markdown",
    mjs: "javascript",
    php: "php",
    pl: "perl",
    py: "python",
    r: "r",
    rb: "ruby",
    rs: "rust",
    scala: "scala",
    scss: "scss",
    sh: "bash",
    sql: "sql",
    svg: "xml",
    swift: "swift",
    tex: "latex",
    toml: "toml",
    ts: "typescript",
    tsx: "typescript",
    vue: "html",
    xml: "xml",
    yaml: "yaml",
    yml: "yaml",
    zig: "zig",
  }),
);

/** Returns the end of a file's name for code in `language`, as a model calls it. */
export function endingOf(language: string): string {
  const name = language.toLowerCase();
  if (BY_ENDING.has(name)) return name;
  return [...BY_ENDING].find(([, known]) => known === name)?.[0] ?? "txt";
}

/** Returns the language of a file by its name; undefined for plain text. */
export function languageOf(name: string): string | undefined {
  const base = name.slice(name.lastIndexOf("/") + 1).toLowerCase();
  if (base === "dockerfile" || base === "makefile") return base;
  return BY_ENDING.get(base.slice(base.lastIndexOf(".") + 1));
}
