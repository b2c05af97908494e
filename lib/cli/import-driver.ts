import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CliUsageError, errorField } from './cli.errors.js';
import { CLI_MESSAGES } from './cli.messages.js';

/** A class of a driver, as far as TypeScript can know one that may not be installed. */
export type DriverClass = new (...args: readonly unknown[]) => unknown;

/**
 * A class of the first of these packages that is installed: where this tool is, or in the folder it is called from.
 *
 * @param packages names of packages, each with the class that is wanted; `default` for the package's own value
 * @throws CliUsageError that names what to install
 */
export async function importDriver(
  store: string,
  packages: readonly (readonly [name: string, exportName: string])[],
): Promise<DriverClass> {
  for (const [name, exportName] of packages) {
    const found = exportOf(await importInstalled(name), exportName);
    if (isClass(found)) return found;
  }
  const names = packages.map(([name]) => name);
  throw new CliUsageError(CLI_MESSAGES.driverMissing(store, names));
}

async function importInstalled(name: string): Promise<unknown> {
  for (const find of [() => name, () => locateFromHere(name)]) {
    try {
      return await import(find());
    } catch (error) {
      if (!ABSENT.has(errorField(error, 'code') ?? '')) throw error;
    }
  }
  return undefined;
}

const ABSENT = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_UNKNOWN_BUILTIN_MODULE']);

function locateFromHere(name: string): string {
  if (name.startsWith('node:')) return name;
  return pathToFileURL(createRequire(join(process.cwd(), 'package.json')).resolve(name)).href;
}

/** Drivers are CommonJS: Node finds their named exports, or leaves them on the default one. */
function exportOf(module: unknown, name: string): unknown {
  return field(module, name) ?? field(field(module, 'default'), name);
}

function field(value: unknown, name: string): unknown {
  const holds = (typeof value === 'object' || typeof value === 'function') && value !== null;
  return holds ? Reflect.get(value, name) : undefined;
}

function isClass(value: unknown): value is DriverClass {
  return typeof value === 'function';
}
