// Follows what is imported while the main entry loads: nothing but the required peers, the validator and Node.
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
const FORMATS = { esm: findImports, cjs: findRequires };

const packageRoot = dirname(createRequire(import.meta.url).resolve('nestjs-scalekit-webhooks/package.json'));

for (const [format, find] of Object.entries(FORMATS)) {
  const files = new Set();
  const packages = new Set();
  walk(join(packageRoot, 'dist', format, 'index.js'), find, files, packages);
  const others = [...packages].filter((name) => !name.startsWith('node:') && !ALLOWED.includes(name));
  deepEqual(others, [], `${format} imports what an application may not have`);
  console.log(`${format}: ${files.size} files, ${[...packages].sort().join(' ')}`);
}

function walk(file, find, files, packages) {
  if (files.has(file)) return;
  files.add(file);
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  for (const name of find(source)) {
    if (name.startsWith('.')) walk(resolve(dirname(file), name), find, files, packages);
    else packages.add(name);
  }
}

/** Static imports and re-exports; a dynamic import is no statement. */
function findImports(source) {
  return source.statements.flatMap(({ moduleSpecifier }) => (moduleSpecifier ? [moduleSpecifier.text] : []));
}

/** Calls of `require` outside functions, which run when they are called. */
function findRequires(node) {
  if (ts.isFunctionLike(node)) return [];
  const found = ts.isCallExpression(node) && node.expression.escapedText === 'require';
  const children = [];
  ts.forEachChild(node, (child) => {
    children.push(...findRequires(child));
  });
  return found ? [node.arguments[0].text, ...children] : children;
}
