const NUL = '\u0000';

/**
 * Text as Postgres can keep it. It takes neither U+0000 nor lone surrogates, and both may stand in JSON: they, and the
 * backslash that marks them, are escaped, so that different texts stay different.
 */
export function toPostgresText(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll(NUL, '\\u0000');
  return escaped.replace(/\p{Surrogate}/gu, (lone) => `\\u${lone.charCodeAt(0).toString(16)}`);
}

/** The text that {@link toPostgresText} was given. */
export function fromPostgresText(text: string): string {
  return text.replace(/\\(\\|u([0-9a-f]{4}))/g, (_, escaped: string, code?: string) =>
    code === undefined ? escaped : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
