const NUL = '\u0000';

/**
 * Escapes what a database may not be able to store as text: U+0000, and every UTF-16 code unit beyond ASCII, since a
 * database can have another encoding than UTF-8, and no encoding has lone surrogates. Backslashes are escaped too, so that
 * {@link fromStorableText} returns exactly the original text.
 */
export function toStorableText(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll(NUL, '\\u0000');
  return escaped.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Reverses {@link toStorableText}. */
export function fromStorableText(text: string): string {
  return text.replace(/\\(\\|u([0-9a-f]{4}))/g, (_, escaped: string, code?: string) =>
    code === undefined ? escaped : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
