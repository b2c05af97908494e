/** A value of a series, as `/metrics` shows it. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What all processes showed at a time, in seconds. */
export interface Scrape {
  readonly at: number;
  readonly samples: readonly Sample[];
}

type Element = Omit<Sample, 'name'>;
type Vector = readonly Element[];
type Point = { readonly at: number; readonly value: number };

interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

interface Selector {
  readonly type: 'selector';
  readonly name: string;
  readonly matchers: readonly Matcher[];
  readonly rangeS: number;
  readonly offsetS: number;
}

/** A parsed expression. */
export type Expression =
  | { readonly type: 'number'; readonly value: number }
  | Selector
  | {
      readonly type: 'call';
      readonly name: string;
      readonly args: readonly Expression[];
      readonly by: readonly string[];
    }
  | {
      readonly type: 'binary';
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    };

const SAMPLE = /^([\w:]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const TOKEN =
  /\s*(\d+(?:ms|[smhdw])\b|\d+(?:\.\d+)?|[a-zA-Z_][\w:]*|"(?:[^"\\]|\\.)*"|=~|!~|[!=<>]=|[-+*/<>=(){}[\],])/y;
const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const PRECEDENCE = [['or'], ['and', 'unless'], ['==', '!=', '>', '<', '>=', '<='], ['+', '-'], ['*', '/']];
// Prometheus forgets a series that was not scraped for as long.
const LOOK_BACK_S = 300;

/** Reads what a Prometheus exporter shows. */
export function parseSamples(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(LABEL)].map(([, label = '', text = '']) => [label, unescaped(text)]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
}

/** A duration of Prometheus, such as `5m`, in seconds. */
export function durationS(text: string): number {
  const [, count, unit = ''] = /^(\d+)(\w+)$/.exec(text) ?? [];
  const seconds = UNITS[unit];
  if (seconds === undefined) throw new Error(`${text} is not a duration`);
  return Number(count) * seconds;
}

/** Parses the part of PromQL that our rules and panels use. */
export function parsePromQl(text: string): Expression {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const start = TOKEN.lastIndex;
    const token = TOKEN.exec(text)?.[1];
    if (token === undefined) throw new Error(`Not understood: ${text.slice(start)}`);
    tokens.push(token);
  }
  const next = () => tokens.shift() ?? '';
  const accept = (token: string) => tokens[0] === token && next() === token;
  const expect = (token: string) => {
    if (!accept(token)) throw new Error(`Expected ${token} before ${tokens.join(' ')} in ${text}`);
  };
  const list = <Item>(end: string, item: () => Item): Item[] => {
    const items: Item[] = [];
    while (!accept(end)) {
      items.push(item());
      accept(',');
    }
    return items;
  };
  const binary = (level = 0): Expression => {
    const operators = PRECEDENCE[level];
    if (!operators) return operand();
    let left = binary(level + 1);
    while (operators.includes(tokens[0] ?? '')) {
      left = { type: 'binary', operator: next(), left, right: binary(level + 1) };
    }
    return left;
  };
  const operand = (): Expression => {
    if (accept('(')) {
      const [inner = binary()] = list(')', binary);
      return inner;
    }
    const token = next();
    if (/^\d/.test(token)) return { type: 'number', value: Number(token) };
    const by = accept('by') && accept('(') ? list(')', next) : [];
    if (accept('(')) return { type: 'call', name: token, args: list(')', binary), by };
    const matchers = accept('{') ? list('}', matcher) : [];
    const rangeS = accept('[') ? durationS(next()) : 0;
    if (rangeS > 0) expect(']');
    return {
      type: 'selector',
      name: token,
      matchers,
      rangeS,
      offsetS: accept('offset') ? durationS(next()) : 0,
    };
  };
  const matcher = (): Matcher => ({ label: next(), operator: next(), value: unescaped(next().slice(1, -1)) });
  const parsed = binary();
  if (tokens.length > 0) throw new Error(`Not understood: ${tokens.join(' ')}`);
  return parsed;
}

/** The labels that an expression uses, by the metric that must have them. */
export function labelsUsedIn(expression: Expression, by: readonly string[] = []): [string, string][] {
  switch (expression.type) {
    case 'number':
      return [];
    case 'selector': {
      const labels = [...expression.matchers.map(({ label }) => label), ...by];
      return ['', ...labels].map((label) => [expression.name, label]);
    }
    case 'binary':
      return [...labelsUsedIn(expression.left, by), ...labelsUsedIn(expression.right, by)];
    case 'call':
      return expression.args.flatMap((arg) => labelsUsedIn(arg, [...by, ...expression.by]));
  }
}

/** Evaluates an expression at a time, in seconds, on what was scraped until then. */
export function evaluate(expression: Expression, scrapes: readonly Scrape[], at: number): number | Vector {
  const recurse = (part: Expression) => evaluate(part, scrapes, at);
  const vectorOf = (part: Expression | undefined): Vector => {
    const value = part && recurse(part);
    if (!Array.isArray(value)) throw new Error('Expected a vector');
    return value;
  };
  switch (expression.type) {
    case 'number':
      return expression.value;
    case 'selector':
      return select(expression, scrapes, at);
    case 'binary':
      return combine(expression.operator, recurse(expression.left), recurse(expression.right));
  }
  const { name, args, by } = expression;
  const [first] = args;
  switch (name) {
    case 'time':
      return at;
    case 'absent':
      return vectorOf(first).length > 0 ? [] : [{ labels: {}, value: 1 }];
    case 'increase':
    case 'rate':
      if (first?.type !== 'selector' || first.rangeS === 0) throw new Error(`${name} needs a range`);
      return increases(first, scrapes, at, name === 'rate' ? first.rangeS : 1);
    case 'sum':
      return aggregate(vectorOf(first), by, (values) => values.reduce((sum, value) => sum + value, 0));
    case 'max':
      return aggregate(vectorOf(first), by, (values) => Math.max(...values));
    default:
      throw new Error(`${name} is not supported`);
  }
}

function select(selector: Selector, scrapes: readonly Scrape[], at: number): Vector {
  const until = at - selector.offsetS;
  const scrape = scrapes.findLast((one) => one.at <= until);
  if (!scrape || scrape.at <= until - LOOK_BACK_S) return [];
  return scrape.samples.filter((sample) => matches(sample, selector));
}

function increases(selector: Selector, scrapes: readonly Scrape[], at: number, divisor: number): Vector {
  const series = new Map<string, { labels: Sample['labels']; points: Point[] }>();
  const until = at - selector.offsetS;
  const from = until - selector.rangeS;
  for (const scrape of scrapes) {
    if (scrape.at < from || scrape.at > until) continue;
    for (const sample of scrape.samples.filter((one) => matches(one, selector))) {
      const { labels, value } = sample;
      const known = series.get(keyOf(labels)) ?? { labels, points: [] };
      known.points.push({ at: scrape.at, value });
      series.set(keyOf(labels), known);
    }
  }
  return [...series.values()].flatMap(({ labels, points }) => {
    const value = increaseOf(points, from, until);
    return value === undefined ? [] : [{ labels, value: value / divisor }];
  });
}

/** How much a counter grew, extrapolated to the ends of the range as Prometheus does it. */
function increaseOf(points: readonly Point[], from: number, until: number): number | undefined {
  const [first] = points;
  const last = points.at(-1);
  if (!first || !last || points.length < 2) return undefined;
  let increase = 0;
  let before = first.value;
  for (const { value } of points.slice(1)) {
    // A counter that fell began again at 0.
    increase += value < before ? value : value - before;
    before = value;
  }
  const sampledS = last.at - first.at;
  const intervalS = sampledS / (points.length - 1);
  const sinceZeroS = increase > 0 ? (sampledS * first.value) / increase : Number.POSITIVE_INFINITY;
  const gaps = [Math.min(first.at - from, sinceZeroS), until - last.at];
  const added = gaps.map((gap) => (gap < intervalS * 1.1 ? gap : intervalS / 2));
  return increase * ((sampledS + (added[0] ?? 0) + (added[1] ?? 0)) / sampledS);
}

function aggregate(vector: Vector, by: readonly string[], reduce: (values: number[]) => number): Vector {
  const groups = new Map<string, { labels: Record<string, string>; values: number[] }>();
  for (const { labels, value } of vector) {
    const kept = Object.fromEntries(by.flatMap((label) => (labels[label] ? [[label, labels[label]]] : [])));
    const group = groups.get(keyOf(kept)) ?? { labels: kept, values: [] };
    group.values.push(value);
    groups.set(keyOf(kept), group);
  }
  return [...groups.values()].map(({ labels, values }) => ({ labels, value: reduce(values) }));
}

function combine(operator: string, left: number | Vector, right: number | Vector): number | Vector {
  if (typeof left === 'number' && typeof right === 'number') return calculate(operator, left, right) ?? 0;
  if (typeof left === 'number' || typeof right === 'number') {
    const vector = typeof left === 'number' ? (right as Vector) : left;
    return vector.flatMap(({ labels, value }) => {
      const result = calculate(
        operator,
        typeof left === 'number' ? left : value,
        typeof right === 'number' ? right : value,
      );
      return keep(operator, labels, value, result);
    });
  }
  const others = new Map(right.map((element) => [keyOf(element.labels), element]));
  const mine = new Set(left.map(({ labels }) => keyOf(labels)));
  if (operator === 'or') return [...left, ...right.filter(({ labels }) => !mine.has(keyOf(labels)))];
  if (operator === 'and') return left.filter(({ labels }) => others.has(keyOf(labels)));
  if (operator === 'unless') return left.filter(({ labels }) => !others.has(keyOf(labels)));
  return left.flatMap(({ labels, value }) => {
    const other = others.get(keyOf(labels));
    return other ? keep(operator, labels, value, calculate(operator, value, other.value)) : [];
  });
}

/** A comparison keeps the elements for which it is true. */
function keep(operator: string, labels: Sample['labels'], value: number, result: number | undefined): Vector {
  if (result === undefined) return [];
  return [{ labels, value: /[<>=]/.test(operator) ? value : result }];
}

/** The result, or undefined for a comparison that is false. */
function calculate(operator: string, left: number, right: number): number | undefined {
  const results: Readonly<Record<string, number | boolean>> = {
    '+': left + right,
    '-': left - right,
    '*': left * right,
    '/': left / right,
    '==': left === right,
    '!=': left !== right,
    '>': left > right,
    '<': left < right,
    '>=': left >= right,
    '<=': left <= right,
  };
  const result = results[operator];
  if (typeof result === 'boolean') return result ? 1 : undefined;
  return result;
}

function matches({ name, labels }: Sample, selector: Selector): boolean {
  if (name !== selector.name) return false;
  return selector.matchers.every(({ label, operator, value }) => {
    const found = labels[label] ?? '';
    const isMatch = operator.endsWith('~') ? new RegExp(`^(?:${value})$`).test(found) : found === value;
    return operator.startsWith('!') ? !isMatch : isMatch;
  });
}

function keyOf(labels: Sample['labels']): string {
  return JSON.stringify(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_all, character) => (character === 'n' ? '\n' : character));
}
