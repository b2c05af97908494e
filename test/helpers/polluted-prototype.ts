import { readdirSync, readFileSync } from 'node:fs';
import { globalAgent } from 'node:http';
import ts from 'typescript';

const LIB = new URL('../../lib/', import.meta.url).pathname;

/** The prototypes of plain objects: that of the tests, and that of the objects which Node creates outside of Jest's context. */
const PROTOTYPES: readonly object[] = [Object.prototype, rootOf(globalAgent)];

// The language itself reads them from plain objects: descriptors of properties, iterators, promises, `JSON.stringify`.
const LANGUAGE = [
  ...['get', 'set', 'value', 'writable', 'enumerable', 'configurable'],
  ...['next', 'return', 'throw', 'done', 'then', 'toJSON'],
];

function rootOf(object: object): object {
  const parent: object | null = Object.getPrototypeOf(object);
  return parent ? rootOf(parent) : object;
}

/** The names of all properties that the source of these folders of `lib/` reads or declares, and all of its texts. */
export function propertyNamesIn(...folders: readonly string[]): readonly string[] {
  const names = new Set<string>();
  for (const folder of folders) {
    for (const file of readdirSync(`${LIB}${folder}`, { encoding: 'utf8' })) {
      const source = readFileSync(`${LIB}${folder}/${file}`, 'utf8');
      collect(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true), names);
    }
  }
  return [...names].filter((name) => !(name in globalThis) && !LANGUAGE.includes(name)).sort();
}

function collect(node: ts.Node, names: Set<string>): void {
  const isName = ts.isIdentifier(node) && node.parent && !isVariable(node);
  if (isName || (ts.isStringLiteral(node) && /^[\w-]+$/.test(node.text))) names.add(node.text);
  ts.forEachChild(node, (child) => collect(child, names));
}

/** Whether an identifier is not the name of a property. */
function isVariable({ parent }: ts.Identifier): boolean {
  return !(
    ts.isPropertyAccessExpression(parent) ||
    ts.isBindingElement(parent) ||
    ts.isPropertyAssignment(parent) ||
    ts.isShorthandPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodSignature(parent)
  );
}

/** Gives every plain object a property while `work` runs. */
export async function withInherited<T>(name: string, value: unknown, work: () => Promise<T>): Promise<T> {
  // Jest's does not work with a polluted prototype.
  const { prepareStackTrace } = Error;
  Reflect.set(Error, 'prepareStackTrace', undefined);
  try {
    for (const prototype of PROTOTYPES) {
      Object.defineProperty(prototype, name, { configurable: true, writable: true, enumerable: true, value });
    }
    return await work();
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    for (const prototype of PROTOTYPES) Reflect.deleteProperty(prototype, name);
  }
}
