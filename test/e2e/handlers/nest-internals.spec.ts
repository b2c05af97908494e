import { describe, expect, it } from '@jest/globals';
import { Inject, Module, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { closeFirst } from '../../../lib/dispatch/nest-internals.js';
import { nestInternals } from '../../consumer/shared/src/nest-internals.js';

describe('Nest still has what the library uses outside its public API', () => {
  it.each(Object.entries(nestInternals()))('%s', (_part, isThere) => {
    expect(isThere).toBe(true);
  });

  it('Module#distance decides the order: closeFirst() closes a module before those that import it', async () => {
    const closed: string[] = [];
    @Module({})
    class Imported implements OnModuleDestroy {
      constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
        closeFirst(modules, Imported);
      }
      async onModuleDestroy() {
        closed.push('imported');
      }
    }
    @Module({ imports: [Imported] })
    class Root implements OnModuleDestroy {
      async onModuleDestroy() {
        closed.push('root');
      }
    }

    await (await NestFactory.createApplicationContext(Root, { logger: false })).close();

    expect(closed).toEqual(['imported', 'root']);
  });
});
