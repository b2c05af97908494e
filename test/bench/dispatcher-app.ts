import 'reflect-metadata';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ReceivedEvent } from '../../lib/dispatch/received-event.js';
import {
  OnScalekitEvent,
  ScalekitEventDispatcher,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from '../../lib/index.js';
import { parseEvent } from '../../lib/parse/parse-event.js';
import { handleEvent, SECRET, TYPICAL_TYPE } from './http/receiver.js';

class TypicalHandler {
  @OnScalekitEvent(TYPICAL_TYPE)
  handle(event: object): Promise<void> {
    return handleEvent(event);
  }
}

/** An application without HTTP that takes the bodies of deliveries. */
export interface DispatcherApp {
  /** @throws Error unless the event was new and its handler succeeded or was queued */
  deliver(payload: Buffer): Promise<void>;
  close(): Promise<void>;
}

/** Starts an application with a handler of the typical event and the `others`. */
export async function openDispatcher(
  options: ScalekitWebhooksOptions,
  others: readonly Type[] = [],
): Promise<DispatcherApp> {
  class DispatcherModule {}
  Module({
    imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options })],
    providers: [TypicalHandler, ...others],
  })(DispatcherModule);
  const app = await NestFactory.createApplicationContext(DispatcherModule, { logger: false });
  const dispatcher = app.get(ScalekitEventDispatcher, { strict: false });
  return {
    async deliver(payload) {
      const parsed = parseEvent(payload, 'strict');
      const { outcome } = await dispatcher.handle(
        new ReceivedEvent(parsed, { deliveryId: 'msg_bench', rawBody: payload }),
      );
      if (outcome !== 'processed' && outcome !== 'accepted') throw new Error(`The outcome is ${outcome}`);
    },
    close: () => app.close(),
  };
}
