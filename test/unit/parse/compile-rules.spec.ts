import { describe, expect, it } from '@jest/globals';
import {
  Allow,
  IsDefined,
  IsOptional,
  IsString,
  Matches,
  MinLength,
  registerDecorator,
  Validate,
  ValidateIf,
  ValidateNested,
  ValidatePromise,
} from 'class-validator';
import type { DtoClass } from '../../../lib/events/scalekit-event.base.js';
import { findIssues, rulesOf } from '../../../lib/parse/validate-event.js';

function classWith(...decorators: readonly PropertyDecorator[]): DtoClass {
  class Dto {}
  for (const decorate of decorators) decorate(Dto.prototype, 'field');
  return Dto;
}

function rule(validate: (value: unknown) => boolean | Promise<boolean>, name?: string, async?: boolean) {
  const decorate: PropertyDecorator = (target, key) => {
    const propertyName = String(key);
    registerDecorator({ name, async, target: target.constructor, propertyName, validator: { validate } });
  };
  return decorate;
}

function brokenBy(dtoClass: DtoClass, field: unknown): string[] {
  return findIssues(dtoClass, { field }).map(({ path, rule }) => `${path} ${rule}`);
}

describe('rulesOf', () => {
  it('compiles a class once', () => {
    const dtoClass = classWith(IsString());
    expect(rulesOf(dtoClass)).toBe(rulesOf(dtoClass));
  });

  it('returns no rules for a class without any', () => {
    expect(rulesOf(class {})).toEqual([]);
  });

  it('checks the declared rules and reports their names', () => {
    const dtoClass = classWith(MinLength(3), Matches(/^a/), IsString());
    expect(brokenBy(dtoClass, 'abc')).toEqual([]);
    expect(brokenBy(dtoClass, 'b')).toEqual(['field minLength', 'field matches']);
    expect(brokenBy(dtoClass, undefined)).toEqual(['field minLength', 'field matches', 'field isString']);
  });

  it('reports rules with the same name once', () => {
    expect(brokenBy(classWith(Matches(/a/), Matches(/b/)), 'c')).toEqual(['field matches']);
    expect(brokenBy(classWith(Matches(/a/), Matches(/b/)), 'a')).toEqual(['field matches']);
  });

  it('uses the name from class-validator for a rule without a name', () => {
    expect(brokenBy(classWith(rule(() => false)), 1)).toEqual(['field customValidation']);
  });

  it('checks every condition', () => {
    const dtoClass = classWith(
      IsOptional(),
      ValidateIf((_object, value) => value !== 'skip'),
      MinLength(9),
    );
    expect([undefined, null, 'skip'].flatMap((value) => brokenBy(dtoClass, value))).toEqual([]);
    expect(brokenBy(dtoClass, 'other')).toEqual(['field minLength']);
  });

  it('lets the condition of a missing field depend on the other fields', () => {
    const dtoClass = classWith(
      ValidateIf(({ kind }) => kind === 'strict'),
      IsString(),
    );
    expect(findIssues(dtoClass, { kind: 'strict' })).toEqual([{ path: 'field', rule: 'isString' }]);
    expect(findIssues(dtoClass, { kind: 'lax' })).toEqual([]);
  });

  it('applies an `each` rule to each item of an array, or to the value itself', () => {
    const dtoClass = classWith(IsString({ each: true }));
    for (const value of [[], ['a', 'b'], 'a']) expect(brokenBy(dtoClass, value)).toEqual([]);
    for (const value of [['a', 1], [['a']], 1]) expect(brokenBy(dtoClass, value)).toEqual(['field isString']);
  });

  it('passes the same arguments to a rule as class-validator', () => {
    const seen: unknown[] = [];
    class Parent {}
    class Child extends Parent {}
    registerDecorator({
      target: Parent,
      propertyName: 'field',
      constraints: ['x'],
      validator: { validate: (_value, given) => seen.push(given) > 0 },
    });
    const object = { field: 'text' };
    expect(findIssues(Child, object)).toEqual([]);
    expect(seen).toEqual([
      { targetName: 'Child', property: 'field', object, value: 'text', constraints: ['x'] },
    ]);
  });

  it('inherits rules, unless the class declares its own', () => {
    class Parent {
      @IsString()
      readonly kept?: unknown;

      @IsString()
      readonly changed?: unknown;
    }
    class Child extends Parent {
      @MinLength(2)
      declare readonly changed?: unknown;
    }
    expect(findIssues(Child, { kept: 1, changed: '' })).toEqual([
      { path: 'changed', rule: 'minLength' },
      { path: 'kept', rule: 'isString' },
    ]);
  });

  it.each<[string, PropertyDecorator]>([
    ['groups', IsString({ groups: ['a'] })],
    ['always', IsString({ always: true })],
    ['context', IsString({ context: {} })],
    ['validateIf', IsString({ validateIf: () => true })],
    ['isDefined', IsDefined()],
    ['whitelistValidation', Allow()],
    ['promiseValidation', ValidatePromise()],
    ['an asynchronous rule', rule(() => Promise.resolve(true), 'later', true)],
    ['a rule without a constraint', Validate(class {})],
    ['@ValidateNested() alone', ValidateNested()],
  ])('refuses %s instead of ignoring it', (feature, decorator) => {
    const dtoClass = classWith(decorator);
    expect(() => rulesOf(dtoClass)).toThrow(`Dto.field is declared with ${feature}, which is not supported`);
  });

  it('refuses a promise from a rule that is not declared as asynchronous', () => {
    const dtoClass = classWith(rule(() => Promise.resolve(false), 'later'));
    expect(() => findIssues(dtoClass, {})).toThrow('an asynchronous rule');
  });
});
