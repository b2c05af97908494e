import { describe, expect, it } from '@jest/globals';
import {
  HandlerDeclarationError,
  ScalekitWebhooksConfigurationError,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { PublicApi } from '../../docs/public-api.js';
import { ARGUMENTS, OPTION_TABLES, type OptionTable, OTHER_OPTION_TYPES } from './option-tables.js';

const api = new PublicApi();

/** The error with which options are refused, or undefined if they are not. */
async function refusalOf(give: () => unknown): Promise<Error | undefined> {
  try {
    await give();
    return undefined;
  } catch (error) {
    const isRefusal =
      error instanceof ScalekitWebhooksConfigurationError || error instanceof HandlerDeclarationError;
    return isRefusal ? error : undefined;
  }
}

/** The valid options, with another value at a path such as `backoff.type`. */
function withValue(options: unknown, [name = '', ...rest]: readonly string[], value: unknown): object {
  const given = Object(options);
  return { ...given, [name]: rest.length === 0 ? value : withValue(given[name], rest, value) };
}

/** Whether the error says which option it is about: that one, or a member of it. */
function names(error: Error, option: string): boolean {
  const named = new RegExp(`(^|\\.)${option}(\\.|$)`);
  if (error instanceof ScalekitWebhooksConfigurationError) return named.test(error.setting);
  return error.message.split(/[ "]/).some((word) => named.test(word));
}

function rowsOf({ rows }: OptionTable) {
  return Object.entries(rows).map(([option, row]) => ({ option, ...row }));
}

describe('the table of options', () => {
  it('has every type of options that an entry point exports', () => {
    const types = OPTION_TABLES.map(({ type }) => type);

    expect(types.sort()).toEqual([...api.optionTypes, ...OTHER_OPTION_TYPES].sort());
  });

  it.each(OPTION_TABLES)('has every option of $type', ({ type, rows }) => {
    const members = api.membersOf(type);
    const nested = members.flatMap((name) =>
      api.nestedMembersOf(type, name).map((member) => `${name}.${member}`),
    );

    expect(Object.keys(rows)).toEqual(expect.arrayContaining([...members, ...nested]));
  });
});

describe.each(OPTION_TABLES)('$type', (table) => {
  const { give, valid } = table;
  const refusalWith = (option: string, value: unknown) =>
    refusalOf(() => give(withValue(valid, option.split('.'), value)));

  it.each(rowsOf(table))('refuses invalid values of $option, and names it', async ({ option, refuses }) => {
    for (const value of refuses) {
      const error = await refusalWith(option, value);

      expect({ value, named: error && names(error, option) }).toEqual({ value, named: true });
    }
  });

  it.each(rowsOf(table))('takes valid values of $option', async ({ option, takes }) => {
    for (const value of takes) {
      expect({ value, error: await refusalWith(option, value) }).toEqual({ value, error: undefined });
    }
  });

  it('takes undefined for every other option as if it were not set', async () => {
    for (const { option } of rowsOf(table).filter(({ refuses }) => !refuses.includes(undefined))) {
      expect({ option, error: await refusalWith(option, undefined) }).toEqual({ option, error: undefined });
    }
  });

  it('refuses an option that does not exist', async () => {
    const error = await refusalWith('maxAgeInSeconds', 1);

    expect(error?.message).toMatch(/Unknown option "(\w+\.)?maxAgeInSeconds"\. The options are \w+/);
  });

  it.each([undefined, null, 'text', 5, []])('refuses %p instead of an object of options', async (options) => {
    const needed = rowsOf(table).filter(
      ({ option, refuses }) => option in valid && refuses.includes(undefined),
    );
    const isOptional = options === undefined && needed.length === 0;
    const error = await refusalOf(() => Reflect.apply(give, table, [options]));

    expect(error === undefined).toBe(isOptional);
  });
});

describe('an argument that is not an option', () => {
  it.each(ARGUMENTS)('is refused if it is invalid: $argument of $of', async ({ argument, give, refuses }) => {
    for (const value of refuses) {
      const error = await refusalOf(() => give(value));

      expect({ value, named: error && names(error, argument) }).toEqual({ value, named: true });
    }
  });

  it.each(ARGUMENTS)('is taken if it is valid: $argument of $of', async ({ give, takes }) => {
    for (const value of takes) {
      expect({ value, error: await refusalOf(() => give(value)) }).toEqual({ value, error: undefined });
    }
  });
});

describe('a misspelt option', () => {
  it.each([
    [{ handlerTimeout: 1 }, 'handlerTimeoutMs'],
    [{ HandlerTimeoutMS: 1 }, 'handlerTimeoutMs'],
    [{ maxBodyByte: 1 }, 'maxBodyBytes'],
    [{ validaton: 'strict' }, 'validation'],
    [{ statusCodes: { proccessed: 200 } }, 'statusCodes.processed'],
  ])('in %j is refused, and the error names the option that was meant', async (options, meant) => {
    const error = await refusalOf(() =>
      Reflect.apply(ScalekitWebhooksModule.forRoot, ScalekitWebhooksModule, [options]),
    );

    expect(error?.message).toMatch(new RegExp(`^Unknown option ".*"\\. Did you mean ${meant}\\?$`));
  });
});
