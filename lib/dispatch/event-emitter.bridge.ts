import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { EventHandler } from './event-handler.js';

/** What the bridge needs of `EventEmitter2`. */
interface AsyncEventEmitter {
  emitAsync(event: string, ...values: unknown[]): Promise<unknown[]>;
  hasListeners(event?: string): boolean;
}

/** Hands events on to `@nestjs/event-emitter`, as one more handler with its own row in the inbox. */
@Injectable()
export class EventEmitterBridge {
  constructor(@Inject(ModuleRef) private readonly moduleRef: ModuleRef) {}

  /** @throws ScalekitWebhooksConfigurationError when the application does not import `EventEmitterModule` */
  async handler(): Promise<EventHandler> {
    const emitter = await this.#emitter();
    return {
      id: 'EventEmitter2',
      patterns: ['*'],
      accepts: (type) => emitter.hasListeners(`scalekit.${type}`),
      run: async (event, delivery) => emitter.emitAsync(`scalekit.${event.type}`, event, delivery),
    };
  }

  async #emitter(): Promise<AsyncEventEmitter> {
    try {
      // Imported only where it is asked for: the package is an optional peer.
      const { EventEmitter2 } = await import('@nestjs/event-emitter');
      return this.moduleRef.get(EventEmitter2, { strict: false });
    } catch {
      throw new ScalekitWebhooksConfigurationError('eventEmitter', MESSAGES.eventEmitterMissing);
    }
  }
}
