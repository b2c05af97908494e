import { Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { InboxStore } from '../inbox/inbox-store.js';
import type { ValidationMode } from '../parse/parse-event.js';
import type { OutcomeStatusCodes } from '../respond/outcome.js';
import type { EventTransport } from './event-transport.js';
import type { RetryablePredicate } from './handler-failure.js';
import { closeFirst } from './nest-internals.js';
import type { ScalekitWebhooksObserver } from './observers.js';

/** Injection token of an endpoint's options, with every default filled in. */
export const RESOLVED_OPTIONS = Symbol.for('nestjs-scalekit-webhooks:options');

/** What dispatching needs to know of an endpoint. */
export interface DispatchOptions {
  readonly name: string;
  readonly inbox: InboxStore;
  readonly transport: EventTransport;
  readonly handlerTimeoutMs: number;
  readonly validation: ValidationMode;
  readonly eventEmitter: boolean;
  readonly retryable?: RetryablePredicate;
  readonly statusCodes: OutcomeStatusCodes;
  readonly observers: readonly ScalekitWebhooksObserver[];
}

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
