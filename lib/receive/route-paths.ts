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
