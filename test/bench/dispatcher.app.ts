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
import { SECRET } from '../helpers/secrets.js';
import { TYPICAL_TYPE } from './events.js';

class TypicalHandler {
  @OnScalekitEvent(TYPICAL_TYPE)
  handle(): void {}
}

/** An application without HTTP that takes the bytes of deliveries. */
export interface DispatcherApp {
  /** @throws Error when the event was not handled for the first time */
  deliver(payload: Buffer): Promise<void>;
  close(): Promise<void>;
}

/** Starts one with a handler of the typical event, and as many others as are given. */
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
      if (outcome !== 'processed' && outcome !== 'accepted') throw new Error(`the outcome is ${outcome}`);
    },
    close: () => app.close(),
  };
}
