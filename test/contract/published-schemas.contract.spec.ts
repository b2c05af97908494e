import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { ENVELOPE_FACTS, FACTS, type Fact, type Facts, isList } from './scalekit-facts.table.js';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

interface SchemaFile {
  readonly types: Readonly<Record<string, string>>;
  readonly schemas: Readonly<Record<string, Schema>>;
}

// Scalekit's schemas are not part of this repository. These tests run if the file is available.
const path =
  process.env.SCALEKIT_SCHEMAS ??
  fileURLToPath(new URL('../../../shared/scalekit/event-schemas.json', import.meta.url));
const file: SchemaFile | undefined = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;

function mismatches(schema: Schema, facts: Facts, file: SchemaFile, at: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const here = `${at}.${name}`;
    return compare(resolve(property, file), facts[name], file, here);
  });
}

function compare(schema: Schema, fact: Fact | undefined, file: SchemaFile, at: string): string[] {
  if (fact === undefined) return [`${at} is not in the table`];
  if (typeof fact === 'string') {
    const structured = schema.properties !== undefined || schema.items?.properties !== undefined;
    return fact === schema.type && !structured ? [] : [`${at} is ${schema.type}, in the table ${fact}`];
  }
  if (isList(fact)) {
    return schema.type === 'array'
      ? compare(resolve(schema.items ?? {}, file), fact[0], file, `${at}[]`)
      : [`${at} is ${schema.type}, in the table array`];
  }
  return schema.type === 'object'
    ? mismatches(schema, fact, file, at)
    : [`${at} is ${schema.type}, in the table object`];
}

function resolve(schema: Schema, { schemas }: SchemaFile): Schema {
  return schema.$ref === undefined ? schema : (schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {});
}

function publishedSchemas({ types, schemas }: SchemaFile): void {
  describe.each(Object.entries(types))('the published schema of %s', (type, name) => {
    const { data, ...envelope } = schemas[name]?.properties ?? {};
    const fact = FACTS.get(type);

    it('has the same name as the DTO', () => {
      expect(fact?.dto).toBe(name);
    });

    it('has no field that is missing from the table or differs from it', () => {
      const file = { types, schemas };
      expect(mismatches(resolve(data ?? {}, file), fact?.data ?? {}, file, 'data')).toEqual([]);
      expect(mismatches({ properties: envelope }, ENVELOPE_FACTS, file, 'event')).toEqual([]);
    });
  });
}

if (file) {
  publishedSchemas(file);
} else {
  describe('the published schemas', () => {
    it('are not available, so that only the table is tested', () => {
      expect(FACTS.size).toBe(50);
    });
  });
}
