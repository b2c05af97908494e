import { createRequire } from 'node:module';

/** What opens a library, or why the library cannot be used here. */
export type FoundLibrary<Open> =
  | { readonly open: Open }
  | {
      readonly hint: string;
      /** It cannot be installed for this Node. */
      readonly isImpossible: boolean;
    };

const require = createRequire(new URL('../libraries/package.json', import.meta.url));

/**
 * Finds a library that `npm run install:libraries` installs.
 *
 * @param load loads the packages of the library, and returns what opens it
 */
export function findLibrary<Open>(
  name: string,
  load: (require: (id: string) => unknown) => Open,
): FoundLibrary<Open> {
  try {
    return { open: load(require) };
  } catch (error) {
    // A compiled binary works only with the version of Node that it was compiled for.
    const isImpossible = Reflect.get(Object(error), 'code') === 'ERR_DLOPEN_FAILED';
    const problem = isImpossible ? 'was built for another version of Node' : 'is not installed';
    return { hint: `${name} ${problem}. Run npm run install:libraries`, isImpossible };
  }
}

/** @throws if the library cannot be used */
export function openerOf<Open>(name: string, library: FoundLibrary<Open> | undefined): Open {
  if (library && 'open' in library) return library.open;
  throw new Error(library?.hint ?? `There is no library ${name}`);
}
