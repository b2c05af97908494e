import { isScalekitEventType } from '../events/catalog.js';
import { unlistedScalekitEvent } from '../events/unlisted-event.js';
import { createScalekitEvent } from '../testing/create-scalekit-event.js';
import { mergeOverrides } from '../testing/merge-overrides.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { readInputFile } from './cli.options.js';
import { CliUsageError } from './cli-usage.error.js';

/** The fields that `--data` asks for: JSON, or `@` and the name of a file that holds it. */
export async function readOverrides(data: string | undefined): Promise<object> {
  if (data === undefined) return {};
  const text = data.startsWith('@') ? (await readInputFile(data.slice(1))).toString() : data;
  const value = parseJson(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CliUsageError(CLI_MESSAGES.notJsonObject('--data'));
}

/** A new event as it goes on the wire: an id of its own, the overrides merged in. */
export function makeEvent(type: string, overrides: object): { id: unknown; json: string } {
  const sample = isScalekitEventType(type)
    ? createScalekitEvent(type)
    : createScalekitEvent(unlistedScalekitEvent(type));
  const plain: object = JSON.parse(JSON.stringify(sample));
  const event: Record<string, unknown> = { ...mergeOverrides(plain, overrides), type };
  return { id: event.id, json: JSON.stringify(event) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
