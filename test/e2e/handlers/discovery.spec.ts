import { beforeEach, describe, expect, it } from '@jest/globals';
import { applyDecorators, Injectable, Module, type Provider, SetMetadata } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { OnScalekitEvent, type ScalekitDelivery, type ScalekitEvent } from 'nestjs-scalekit-webhooks';
import { dispatch } from '../../helpers/dispatch.js';

const seen: unknown[] = [];
beforeEach(() => {
  seen.length = 0;
});

class Base {
  @OnScalekitEvent('user.created')
  inherited() {
    seen.push(['inherited', this.constructor.name]);
  }

  @OnScalekitEvent('user.created')
  overridden() {
    seen.push('of the base');
  }
}

/** Wraps a method as a tracing or transaction library does. */
function wrapped(_target: object, _name: string | symbol, descriptor: PropertyDescriptor): void {
  const original = descriptor.value;
  descriptor.value = async function (this: unknown, ...args: unknown[]) {
    seen.push('around');
    return original.apply(this, args);
  };
}

class Plain {
  @OnScalekitEvent('user.created')
  created() {
    seen.push('plain');
  }
}

describe('handler discovery', () => {
  it('finds inherited methods, but not overrides without their own decorator', async () => {
    class Derived extends Base {
      override overridden() {
        seen.push('of the derived');
      }
    }

    const { ids } = await dispatch({ providers: [Derived] });

    expect(ids).toEqual(['Derived.inherited']);
    expect(seen).toEqual([['inherited', 'Derived']]);
  });

  it('runs an inherited method for each class that inherits it', async () => {
    class One extends Base {}
    class Two extends Base {}

    const { ids } = await dispatch({ providers: [One, Two] });

    expect(ids.toSorted()).toEqual(['One.inherited', 'One.overridden', 'Two.inherited', 'Two.overridden']);
  });

  it.each([
    ['outside', [wrapped, OnScalekitEvent('user.created')]],
    ['inside', [OnScalekitEvent('user.created'), wrapped]],
  ])('finds a method that another decorator wraps from the %s', async (_side, decorators) => {
    class Handlers {
      @applyDecorators(...(decorators as MethodDecorator[]))
      created(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery) {
        seen.push(event.type, delivery.attempt);
      }
    }

    const { ids } = await dispatch({ providers: [Handlers] });

    expect(ids).toEqual(['Handlers.created']);
    expect(seen).toEqual(['around', 'user.created', 1]);
  });

  it.each<[string, Provider]>([
    ['useClass', { provide: 'handlers', useClass: Plain }],
    ['useFactory', { provide: 'handlers', useFactory: async () => new Plain() }],
    ['useValue', { provide: 'handlers', useValue: new Plain() }],
  ])('finds the methods of a provider defined with %s', async (_kind, provider) => {
    expect((await dispatch({ providers: [provider] })).ids).toEqual(['Plain.created']);
  });

  it('runs a provider with an alias once, without a warning', async () => {
    const providers = [Plain, { provide: 'alias', useExisting: Plain }];

    const { ids, warnings } = await dispatch({ providers });

    expect(ids).toEqual(['Plain.created']);
    expect(seen).toEqual(['plain']);
    expect(warnings.filter((text) => text.includes('Plain'))).toEqual([]);
  });

  it('ignores providers that are not objects', async () => {
    const providers = [
      Plain,
      { provide: 'nothing', useValue: undefined },
      { provide: 'null', useValue: null },
      { provide: 'text', useValue: 'text' },
      { provide: 'bare', useValue: Object.create(null) },
      { provide: 'function', useValue: () => {} },
    ];

    expect((await dispatch({ providers })).ids).toEqual(['Plain.created']);
  });

  it('does not call the getters of providers', async () => {
    class WithGetter extends Plain {
      get dangerous(): never {
        throw new Error('a getter was called');
      }
    }

    expect((await dispatch({ providers: [WithGetter] })).ids).toEqual(['WithGetter.created']);
  });

  it('runs a class that two modules provide once, and warns about it', async () => {
    @Module({ providers: [Plain] })
    class OneModule {}
    @Module({ providers: [Plain] })
    class OtherModule {}

    const { ids, warnings } = await dispatch({ imports: [OneModule, OtherModule] });

    expect(ids).toEqual(['Plain.created']);
    expect(seen).toEqual(['plain']);
    expect(warnings).toContainEqual(expect.stringContaining('Plain.created was found in several instances'));
  });

  it('passes the right parameters to each of two classes with the same name', async () => {
    const make = (id: string, parameters: 1 | 2) => {
      class Same {
        one(event: unknown) {
          seen.push([id, event !== undefined]);
        }

        two(event: unknown, delivery: ScalekitDelivery) {
          seen.push([id, event !== undefined, delivery.attempt]);
        }
      }
      const { prototype } = Same;
      const method = parameters === 1 ? prototype.one : prototype.two;
      const descriptor = { value: method, configurable: true, writable: true };
      Object.defineProperty(prototype, 'handle', descriptor);
      OnScalekitEvent('user.created', { id })(prototype, 'handle', descriptor);
      return Same;
    };
    @Module({ providers: [make('first', 1)] })
    class OneModule {}
    @Module({ providers: [make('second', 2)] })
    class OtherModule {}

    const { ids } = await dispatch({ imports: [OneModule, OtherModule] });

    expect(ids).toEqual(['first', 'second']);
    expect(seen).toEqual([
      ['first', true],
      ['second', true, 1],
    ]);
  });

  it('identifies a handler by its declared id, or by its class and method', async () => {
    class Named {
      @OnScalekitEvent('user.created', { id: 'welcome-mail' })
      created() {}

      @OnScalekitEvent('user.created')
      other() {}
    }

    expect((await dispatch({ providers: [Named] })).ids.toSorted()).toEqual(['Named.other', 'welcome-mail']);
  });

  it('works with other metadata and with private fields', async () => {
    @Injectable()
    class Handlers {
      readonly #secret = 'private';

      constructor(private readonly moduleRef: ModuleRef) {}

      @SetMetadata('x', 1)
      @OnScalekitEvent('user.created')
      created() {
        seen.push(this.#secret, this.moduleRef instanceof ModuleRef);
      }
    }

    await dispatch({ providers: [Handlers] });

    expect(seen).toEqual(['private', true]);
  });
});
