/** Works out what is written as on paper: + - * / % ^ ( ), functions and constants. Nothing is run as code. */

const FUNCTIONS: Record<string, (...values: number[]) => number> = {
  abs: Math.abs,
  acos: Math.acos,
  asin: Math.asin,
  atan: Math.atan,
  atan2: Math.atan2,
  cbrt: Math.cbrt,
  ceil: Math.ceil,
  cos: Math.cos,
  exp: Math.exp,
  floor: Math.floor,
  ln: Math.log,
  log: Math.log10,
  log10: Math.log10,
  log2: Math.log2,
  max: Math.max,
  min: Math.min,
  mod: (a, b) => a - b * Math.floor(a / b),
  pow: (a, b) => a ** b,
  round: Math.round,
  sign: Math.sign,
  sin: Math.sin,
  sqrt: Math.sqrt,
  tan: Math.tan,
};

const CONSTANTS: Record<string, number> = { pi: Math.PI, π: Math.PI, e: Math.E, tau: 2 * Math.PI };

const TOKEN =
  /\s*(?:(\d+(?:_?\d)*(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)|([a-zπ_][a-z0-9_]*)|(\*\*|[-+*/%^(),!×÷−·]))/iy;

const SAME: Record<string, string> = { "**": "^", "×": "*", "·": "*", "÷": "/", "−": "-" };

type Token = { kind: "number"; value: number } | { kind: "name" | "sign"; text: string };

const LONGEST = 10_000;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const [, number, name, sign] = TOKEN.exec(text) ?? [];
    if (number !== undefined) tokens.push({ kind: "number", value: Number(number.replaceAll("_", "")) });
    else if (name !== undefined) tokens.push({ kind: "name", text: name.toLowerCase() });
    else if (sign !== undefined) tokens.push({ kind: "sign", text: SAME[sign] ?? sign });
    else throw new Error(`can't read ${JSON.stringify(text.slice(at).trim().slice(0, 20))}`);
  }
  return tokens;
}

/** Returns the value of `text`; throws with words about what can't be read. */
export function calculate(text: string): number {
  if (text.length > LONGEST) throw new Error(`an expression takes at most ${LONGEST} characters`);
  const parser = new Parser(tokensOf(text));
  const value = parser.sum();
  parser.end();
  if (!Number.isFinite(value))
    throw new Error(Number.isNaN(value) ? "it has no value" : "it is too large, or a division by zero");
  return value;
}

class Parser {
  private at = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  sum(): number {
    if (++this.depth > 200) throw new Error("it is nested too deeply");
    let value = this.product();
    for (let sign = this.taken("+", "-"); sign !== null; sign = this.taken("+", "-")) {
      value = sign === "+" ? value + this.product() : value - this.product();
    }
    this.depth -= 1;
    return value;
  }

  end(): void {
    const token = this.tokens[this.at];
    if (token !== undefined) throw new Error(`does not expect ${JSON.stringify(shown(token))}`);
  }

  private product(): number {
    let value = this.signed();
    for (;;) {
      const sign = this.taken("*", "/", "%");
      if (sign === "*") value *= this.signed();
      else if (sign === "/") value /= this.signed();
      else if (sign === "%") value %= this.signed();
      else if (this.opens()) value *= this.power();
      else return value;
    }
  }

  /** Whether a factor follows without a sign, as in 2(3 + 4) or 2 pi. */
  private opens(): boolean {
    const token = this.tokens[this.at];
    return token !== undefined && (token.kind === "name" || (token.kind === "sign" && token.text === "("));
  }

  private signed(): number {
    let minus = false;
    for (let sign = this.taken("+", "-"); sign !== null; sign = this.taken("+", "-")) minus = (sign === "-") !== minus;
    const value = this.power();
    return minus ? -value : value;
  }

  private power(): number {
    const base = this.postfix();
    return this.taken("^") === null ? base : base ** this.signed();
  }

  private postfix(): number {
    let value = this.atom();
    while (this.taken("!") !== null) value = factorial(value);
    return value;
  }

  private atom(): number {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new Error("it ends too early");
    if (token.kind === "number") return token.value;
    if (token.kind === "name") return this.named(token.text);
    if (token.text !== "(") throw new Error(`does not expect ${JSON.stringify(token.text)}`);
    const value = this.sum();
    this.close();
    return value;
  }

  private named(name: string): number {
    const made = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
    if (made === undefined) {
      const value = Object.hasOwn(CONSTANTS, name) ? CONSTANTS[name] : undefined;
      if (value === undefined) throw new Error(`knows no ${name}; functions are ${Object.keys(FUNCTIONS).join(", ")}`);
      return value;
    }
    if (this.taken("(") === null) throw new Error(`${name} needs its values in parentheses`);
    const values = [this.sum()];
    while (this.taken(",") !== null) values.push(this.sum());
    this.close();
    return made(...values);
  }

  private close(): void {
    if (this.taken(")") === null) throw new Error("a parenthesis is not closed");
  }

  private taken(...signs: string[]): string | null {
    const token = this.tokens[this.at];
    if (token?.kind !== "sign" || !signs.includes(token.text)) return null;
    this.at += 1;
    return token.text;
  }
}

const shown = (token: Token): string => (token.kind === "number" ? String(token.value) : token.text);

function factorial(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 170)
    throw new Error("a factorial is of a whole number up to 170");
  let product = 1;
  for (let factor = 2; factor <= value; factor++) product *= factor;
  return product;
}
