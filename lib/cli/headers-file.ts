import { CLI_MESSAGES } from './cli.messages.js';
import { readInputFile } from './cli.options.js';
import { CliUsageError } from './cli-usage.error.js';

/**
 * Reads headers from a file: one `Name: value` a line (a request line, or what is no header, is passed over), or a
 * JSON object whose values are texts or lists of texts.
 */
export async function readHeadersFile(path: string): Promise<Record<string, string[]>> {
  const text = (await readInputFile(path)).toString().trim();
  const entries = text.startsWith('{') ? jsonEntries(text) : lineEntries(text);
  if (entries.length === 0) throw new CliUsageError(CLI_MESSAGES.headersUnreadable(path));
  const headers = new Map<string, string[]>();
  for (const [name, value] of entries) headers.set(name, [...(headers.get(name) ?? []), value]);
  return Object.fromEntries(headers);
}

function lineEntries(text: string): [string, string][] {
  return text.split(/\r?\n/).flatMap((line): [string, string][] => {
    // `< ` stands before each header in what `curl -v` shows.
    const [, name, value] = /^(?:[<>] )?([\w-]+)\s*:(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value.trim()]];
  });
}

function jsonEntries(text: string): [string, string][] {
  return Object.entries(parseObject(text)).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, String(one)]),
  );
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
