import { isNativeError } from 'node:util/types';

// Control and format characters (bidi marks among them), lone surrogates, and the line breaks of Unicode.
const NOT_PRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;
const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** Puts untrusted text on one line: characters that could end the line or change how it looks are escaped as in JSON. */
export function escapeLine(text: string): string {
  return text.replaceAll(NOT_PRINTABLE, (found) => SHORT_ESCAPES.get(found) ?? escapeUnits(found));
}

/** Escapes every UTF-16 code unit of a text as JSON does. */
export function escapeUnits(text: string): string {
  return Array.from({ length: text.length }, (_, index) => escapeCode(text.charCodeAt(index))).join('');
}

function escapeCode(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

const SIGNING_SECRET = /whsec_[^\s,]+/g;

/** The text without signing secrets. A secret can end up in the wrong option, or in an error. */
export function withoutSecrets(text: string): string {
  return text.replaceAll(SIGNING_SECRET, 'whsec_…');
}

const URL_TEXT = /\b([a-z][a-z\d+.-]*:\/\/)\S+/gi;

/** The text without what follows the scheme of a URL. The URL of a database can have a password anywhere. */
export function withoutUrls(text: string): string {
  return text.replaceAll(URL_TEXT, '$1…');
}

/** Puts untrusted text on one line, without characters that could control the terminal. */
export function sanitizeLine(text: string): string {
  return text.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
}

/** Keeps the lines of untrusted text, and escapes characters that could control the terminal as JSON does. */
export function sanitizeText(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{C}/gu, escapeUnits);
}

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

/** What was thrown, and where, without its message: that may quote the event. */
export function describeThrown(thrown: unknown): string {
  if (!isNativeError(thrown)) return 'it threw something that is not an Error';
  const { name, message, stack = '' } = thrown;
  const place = /^\s+(at .+)$/m.exec(stack.slice(stack.indexOf(message) + message.length))?.[1];
  return place === undefined ? `it threw a ${name}` : `it threw a ${name} ${place}`;
}
