import { Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { closeFirst } from './nest-internals.js';

/** Finishes the work in progress before Nest closes anything that a handler may need, such as a pool in `AppModule`. */
@Injectable()
export class Drain implements OnModuleDestroy {
  readonly #steps: (() => Promise<void>)[] = [];

  constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
    closeFirst(modules, DrainModule);
  }

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  async onModuleDestroy(): Promise<void> {
    // A step that fails is reported by its own provider, which Nest closes later.
    await Promise.allSettled(this.#steps.map((step) => step()));
  }
}

/** A module of its own, so that the modules of the endpoints are still initialized before those that import them. */
@Module({ providers: [Drain], exports: [Drain] })
export class DrainModule {}
