/** What stands for a parameter or a wildcard in an example of a path. No route has it as a segment of its own. */
const ANY_SEGMENT = '~any~';

const OPTIONAL = /[{}]/g;
const VARIABLE = /:(\w+)|\(\.\*\)|\*\w*/g;
const SPECIAL = /[.+?^$|()[\]\\]/g;
const TOKEN = new RegExp([OPTIONAL, VARIABLE, SPECIAL].map(({ source }) => source).join('|'), 'g');

/** Matches the URLs of a route's path: a parameter is one segment, `*` is any number of them, and `{…}` is optional. */
export function patternOf(path: string): { readonly expression: RegExp; readonly params: readonly string[] } {
  const params: string[] = [];
  const source = path.replace(TOKEN, (token, param?: string) => {
    if (param !== undefined) {
      params.push(param);
      return '([^/]+)';
    }
    if (token === '{') return '(?:';
    if (token === '}') return ')?';
    return token.startsWith('*') || token === '(.*)' ? '.*' : `\\${token}`;
  });
  return { expression: new RegExp(`^${source}/?$`, 'i'), params };
}

/** Whether a route matches every URL of another one. */
export function covers(path: string, other: string): boolean {
  return patternOf(path).expression.test(exampleOf(other));
}

/** Whether two routes differ by nothing but the names of their parameters. */
export function hasSameShape(path: string, other: string): boolean {
  return path.replace(VARIABLE, ':') === other.replace(VARIABLE, ':');
}

/** Whether two routes match the same URLs. */
export function isSameRoute(path: string, other: string): boolean {
  return covers(path, other) && covers(other, path);
}

function exampleOf(path: string): string {
  return path.replace(OPTIONAL, '').replace(VARIABLE, ANY_SEGMENT);
}
