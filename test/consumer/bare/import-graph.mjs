// Follows the imports of each entry point: only the required peers, the dependencies and Node's modules are allowed, and
// at most the one optional peer that the entry point is for.
import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';

const ALLOWED = [
  '@nestjs/common',
  '@nestjs/core',
  'class-transformer',
  'class-validator',
  'reflect-metadata',
  'rxjs',
];
// Their other files are not public API.
const INDEX_ONLY = ['class-transformer', 'class-validator'];
const FORMATS = { import: findImports, require: findRequires };

const ENTRY_PEERS = {
  './bullmq': ['bullmq'],
  './opentelemetry': ['@opentelemetry/api'],
  './terminus': ['@nestjs/terminus'],
};

const manifest = createRequire(import.meta.url).resolve('nestjs-scalekit-webhooks/package.json');
const { exports: entries, peerDependenciesMeta } = JSON.parse(readFileSync(manifest, 'utf8'));

for (const [path, entry] of Object.entries(entries).filter(([, { import: esm }]) => esm)) {
  for (const [format, find] of Object.entries(FORMATS)) {
    const files = new Set();
    const specifiers = new Set();
    walk(join(dirname(manifest), entry[format].default), find, files, specifiers);
    const packages = new Set([...specifiers].map(packageOf));
    const allowed = [...ALLOWED, ...(ENTRY_PEERS[path] ?? [])];
    const others = [...packages].filter((name) => !name.startsWith('node:') && !allowed.includes(name));
    deepEqual(others, [], `${path} imports a package that an application may not have`);
    const bare = [...files].flatMap((each) =>
      importsOutsideTry(parse(each)).filter((name) => isOptional(name) && !allowed.includes(packageOf(name))),
    );
    deepEqual(
      bare,
      [],
      `${path} (${format}) imports an optional peer outside a try, so bundlers fail without it`,
    );
    const deep = [...specifiers].filter((name) => INDEX_ONLY.some((only) => name.startsWith(`${only}/`)));
    deepEqual(deep, [], `${path} imports files that are not public API`);
    console.log(`${path} (${format}): ${files.size} files, ${[...packages].sort().join(' ')}`);
  }
}

function walk(file, find, files, specifiers) {
  if (files.has(file)) return;
  files.add(file);
  for (const name of find(parse(file))) {
    if (name.startsWith('.')) walk(resolve(dirname(file), name), find, files, specifiers);
    else specifiers.add(name);
  }
}

function parse(file) {
  return ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
}

function isOptional(specifier) {
  return peerDependenciesMeta[packageOf(specifier)]?.optional === true;
}

/** Finds dynamic imports and calls of `require` that are not directly within a `try`, as bundlers see it. */
function importsOutsideTry(node, isInTry = false) {
  const isCall =
    ts.isCallExpression(node) &&
    (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.escapedText === 'require');
  const found = isCall && !isInTry && ts.isStringLiteral(node.arguments[0]) ? [node.arguments[0].text] : [];
  ts.forEachChild(node, (child) => {
    const entersTry = ts.isTryStatement(node) && child === node.tryBlock;
    found.push(...importsOutsideTry(child, entersTry || (isInTry && !ts.isFunctionLike(child))));
  });
  return found;
}

/** Returns the package that a specifier belongs to. `node:` modules stay as they are. */
function packageOf(specifier) {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** Finds static imports and re-exports, but no dynamic imports. */
function findImports(source) {
  return source.statements.flatMap(({ moduleSpecifier }) => (moduleSpecifier ? [moduleSpecifier.text] : []));
}

/** Finds calls of `require` outside functions: those run when the file loads. */
function findRequires(node) {
  if (ts.isFunctionLike(node)) return [];
  const found = ts.isCallExpression(node) && node.expression.escapedText === 'require';
  const children = [];
  ts.forEachChild(node, (child) => {
    children.push(...findRequires(child));
  });
  return found ? [node.arguments[0].text, ...children] : children;
}
