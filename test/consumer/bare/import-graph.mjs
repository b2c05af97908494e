// Checks what is imported while an entry point loads: only the required peers, the validator and Node, and at most
// the one optional peer that the entry point is for.
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
const FORMATS = { import: findImports, require: findRequires };

const ENTRY_PEERS = { './bullmq': ['bullmq'] };

const manifest = createRequire(import.meta.url).resolve('nestjs-scalekit-webhooks/package.json');
const { exports: entries } = JSON.parse(readFileSync(manifest, 'utf8'));

for (const [path, entry] of Object.entries(entries).filter(([, { import: esm }]) => esm)) {
  for (const [format, find] of Object.entries(FORMATS)) {
    const files = new Set();
    const packages = new Set();
    walk(join(dirname(manifest), entry[format].default), find, files, packages);
    const allowed = [...ALLOWED, ...(ENTRY_PEERS[path] ?? [])];
    const others = [...packages].filter((name) => !name.startsWith('node:') && !allowed.includes(name));
    deepEqual(others, [], `${path} imports packages that an application may not have`);
    console.log(`${path} (${format}): ${files.size} files, ${[...packages].sort().join(' ')}`);
  }
}

function walk(file, find, files, packages) {
  if (files.has(file)) return;
  files.add(file);
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  for (const name of find(source)) {
    if (name.startsWith('.')) walk(resolve(dirname(file), name), find, files, packages);
    else packages.add(packageOf(name));
  }
}

/** The package name of a specifier, which may point to a file in the package. `node:` modules stay as they are. */
function packageOf(specifier) {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** Static imports and re-exports. A dynamic import is an expression, so it does not count. */
function findImports(source) {
  return source.statements.flatMap(({ moduleSpecifier }) => (moduleSpecifier ? [moduleSpecifier.text] : []));
}

/** Calls of `require` at the top level. Those inside functions run later. */
function findRequires(node) {
  if (ts.isFunctionLike(node)) return [];
  const found = ts.isCallExpression(node) && node.expression.escapedText === 'require';
  const children = [];
  ts.forEachChild(node, (child) => {
    children.push(...findRequires(child));
  });
  return found ? [node.arguments[0].text, ...children] : children;
}
