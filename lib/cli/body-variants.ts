import { isUtf8 } from 'node:buffer';
import { fromUtf16 } from './cli-io.js';

/** What a body may have looked like before an editor, a shell, a log or a body parser changed it. */
export interface BodyVariant {
  readonly name: string;
  readonly body: string;
}

/** One way in which a text may have been changed, reversed: its name, empty for "not at all", and the text before it. */
type Step = readonly (readonly [name: string, text: string])[];

/** The usual variants of a body and their combinations, likely ones first. The body itself is not one of them. */
export function* bodyVariants(bytes: Uint8Array): Generator<BodyVariant, void> {
  const original = isUtf8(bytes) ? decodeUtf8(bytes) : undefined;
  const seen = new Set(original === undefined ? [] : [original]);
  for (const [encoding, decoded] of decodings(bytes)) {
    for (const [lines, text] of [...lineEndings(decoded), ...jsonForms(decoded)]) {
      for (const [end, body] of ends(text)) {
        if (seen.has(body)) continue;
        seen.add(body);
        yield { name: nameOf(encoding, lines, end), body };
      }
    }
  }
}

function nameOf(encoding: string, form: string, end: string): string {
  const subject = form.startsWith('the same JSON') ? form : 'the body';
  const details = [encoding, form === subject ? '' : form, end].filter((detail) => detail !== '');
  return [subject, details.join(' and ')].join(' ').trim();
}

/** The texts that the bytes may stand for. */
function decodings(bytes: Uint8Array): Step {
  const utf16 = fromUtf16(bytes);
  if (utf16 !== undefined) return [['in UTF-8 instead of UTF-16', utf16]];
  // Every byte has a meaning in Windows-1252, so this is the last guess.
  if (!isUtf8(bytes))
    return [['in UTF-8 instead of Windows-1252', new TextDecoder('windows-1252').decode(bytes)]];
  const text = decodeUtf8(bytes);
  const found: [string, string][] = [['', text]];
  if (text.startsWith('\ufeff')) found.push(['without its byte order mark', text.slice(1)]);
  const bare = text.replace(/^\ufeff/, '').trim();
  const inner = parseJson(bare);
  if (typeof inner === 'string') found.push(['as the JSON inside the JSON string', inner]);
  // As an API gateway or a log shows it.
  if (/^[A-Za-z0-9+/\s]+={0,2}$/.test(bare)) {
    found.push(['decoded from base64', Buffer.from(bare, 'base64').toString()]);
  }
  const restored = Buffer.from(bare, 'latin1');
  if (/[\x80-\xff]/.test(bare) && /^[\0-\xff]*$/.test(bare) && isUtf8(restored)) {
    found.push(['with characters that were encoded twice restored', restored.toString()]);
  }
  return found;
}

/** TextDecoder would remove a byte order mark otherwise. */
function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

function lineEndings(text: string): Step {
  return [
    ['', text],
    ['with LF instead of CRLF line endings', text.replaceAll('\r\n', '\n')],
    ['with CRLF instead of LF line endings', text.replaceAll(/\r?\n/g, '\r\n')],
  ];
}

function ends(text: string): Step {
  return [
    ['', text],
    ['without its final newline', text.replace(/\r?\n$/, '')],
    ['with a final newline', `${text}\n`],
    // trim() would remove a byte order mark, too.
    ['without leading and trailing whitespace', text.replaceAll(/^[ \t\r\n]+|[ \t\r\n]+$/g, '')],
  ];
}

const INDENTS = [
  ['indented by 2 spaces', 2],
  ['indented by 4 spaces', 4],
  ['indented by tabs', '\t'],
] as const;

/** JSON that was parsed and serialized again has the same meaning, but different bytes. */
function jsonForms(text: string): Step {
  const value = parseJson(text.replace(/^\ufeff/, ''));
  if (typeof value !== 'object' || value === null) return [];
  const compact = JSON.stringify(value);
  const asWritten = compactText(text.trim());
  const forms: [string, string][] = [
    ['in compact form', compact],
    ['in compact form', asWritten],
    ...INDENTS.map(([name, indent]): [string, string] => [name, JSON.stringify(value, null, indent)]),
    ['with spaces after commas and colons', spacedText(compact)],
    ['with spaces after commas and colons', spacedText(asWritten)],
    ['in compact form, with its keys in alphabetical order', JSON.stringify(sorted(value))],
  ];
  return forms.flatMap(([name, form]) =>
    ESCAPES.map(([escapes, apply]): [string, string] => [`the same JSON ${name}${escapes}`, apply(form)]),
  );
}

/** How serializers of other languages write some characters. */
const ESCAPES: readonly (readonly [name: string, apply: (json: string) => string])[] = [
  ['', (json) => json],
  [', with \\u escapes for characters outside ASCII', (json) => escapeAll(json, /[^\0-\x7f]/g)],
  [', with \\u escapes for <, > and &', (json) => escapeAll(json, /[<>&\u2028\u2029]/g)],
  [', with \\/ instead of /', (json) => json.replaceAll('/', '\\/')],
];

function escapeAll(json: string, characters: RegExp): string {
  return json.replaceAll(characters, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Strings and runs of whitespace: the rest of JSON stays as it was written. */
const STRING_OR_SPACE = /"(?:[^"\\]|\\.)*"|\s+/g;

/** Without whitespace, but with numbers and escapes as they were written. */
function compactText(json: string): string {
  return json.replaceAll(STRING_OR_SPACE, (found) => (found.startsWith('"') ? found : ''));
}

function spacedText(compact: string): string {
  return compact.replaceAll(/"(?:[^"\\]|\\.)*"|[,:]/g, (found) =>
    found.startsWith('"') ? found : `${found} `,
  );
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/** What shows that a body was changed, although no variant of it was signed. Undefined if nothing does. */
export function damageOf(
  bytes: Uint8Array,
): 'empty' | 'not_text' | 'lost_characters' | 'not_json' | 'not_an_event' | 'formatted' | undefined {
  if (bytes.length === 0) return 'empty';
  if (!isUtf8(bytes)) return 'not_text';
  const text = decodeUtf8(bytes).replace(/^\ufeff/, '');
  if (text.includes('\ufffd')) return 'lost_characters';
  const value = parseJson(text);
  if (value === undefined) return 'not_json';
  if (!EVENT_FIELDS.every((field) => Object.hasOwn(Object(value), field))) return 'not_an_event';
  return compactText(text) === text ? undefined : 'formatted';
}

const EVENT_FIELDS = ['id', 'type', 'data'];

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
