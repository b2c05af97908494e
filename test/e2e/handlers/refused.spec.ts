import { describe, expect, it } from '@jest/globals';
import { Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { HandlerDeclarationError, OnScalekitEvent } from 'nestjs-scalekit-webhooks';
import { dispatch } from '../../helpers/dispatch.js';

class Plain {
  @OnScalekitEvent('user.created')
  created() {}
}

function fail(): never {
  throw new Error('there is no request');
}

describe('handlers that cannot run', () => {
  it('fail at startup if two classes share a name', async () => {
    const make = () => {
      class Twin {
        @OnScalekitEvent('user.created')
        created() {}
      }
      return Twin;
    };

    await expect(dispatch({ providers: [make(), { provide: 'other', useClass: make() }] })).rejects.toThrow(
      /Two handlers have the id "Twin.created".*Give one of them another id/,
    );
  });

  it('fail at startup if a request-scoped factory provides them under their class', async () => {
    const factory = { provide: Plain, useFactory: () => new Plain(), scope: Scope.REQUEST };

    await expect(dispatch({ providers: [factory] })).rejects.toThrow(
      /The handlers of Plain cannot run.*useClass/,
    );
  });

  it('fail at startup if a request-scoped factory provides them under another token', async () => {
    class Hidden {
      @OnScalekitEvent('user.created')
      created() {}
    }
    const factory = { provide: 'handlers', useFactory: () => new Hidden(), scope: Scope.REQUEST };

    await expect(dispatch({ providers: [factory] })).rejects.toThrow(
      /The handlers of Hidden cannot run.*useClass/,
    );
  });

  it('cause a warning if a factory that runs only in a request may provide them', async () => {
    class Doubtful {
      @OnScalekitEvent('user.created')
      created() {}
    }
    const factory = {
      provide: 'handlers',
      useFactory: (request: { user: string } | undefined) => (request?.user ? new Doubtful() : fail()),
      inject: [REQUEST],
      scope: Scope.REQUEST,
    };

    const { warnings } = await dispatch({ providers: [factory] });

    expect(warnings).toContainEqual(
      expect.stringMatching(/^Doubtful declares handlers, .*transient factory handlers creates it/),
    );
  });

  it.each([
    ['a static method', 'static'],
    ['a property', 'property'],
  ])('cannot be declared on %s', (_kind, kind) => {
    const target =
      kind === 'static' ? [class {}, 'created', { value: () => {} }] : [{}, 'created', undefined];
    const declare = () => Reflect.apply(OnScalekitEvent('user.created'), undefined, target);

    expect(declare).toThrow(HandlerDeclarationError);
    expect(declare).toThrow(/created, which is not an instance method/);
  });

  it('cannot be declared with an invalid option: the error names the method and the option', () => {
    const declare = () => {
      class Handlers {
        @OnScalekitEvent('user.created', { attempts: 0 })
        created() {}
      }
      return Handlers;
    };

    expect(declare).toThrow(HandlerDeclarationError);
    expect(declare).toThrow(
      '@OnScalekitEvent on Handlers.created: attempts must be a whole number greater than 0, found 0.',
    );
  });

  it('fail at startup if stacked decorators disagree on the id', async () => {
    class Handlers {
      @OnScalekitEvent('user.created', { id: 'a' })
      @OnScalekitEvent('user.updated', { id: 'b' })
      saved() {}
    }

    await expect(dispatch({ providers: [Handlers] })).rejects.toThrow(
      /decorators of Handlers.saved disagree on id/,
    );
  });
});
