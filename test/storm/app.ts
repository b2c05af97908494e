// One process of the application. It loads its packages, waits for a port, and listens until it is killed.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { SECRET } from '../helpers/secrets.js';
import { Plain, Transactional } from './app.handlers.js';
import { openInbox, openTransport } from './app.inbox.js';
import { Refusing, Swallowing, Users } from './app.mistakes.js';
import { HandlerTools, UserDirectory } from './app.tools.js';
import { Faults } from './faults.js';
import { Journal } from './journal.js';
import { journaled } from './journaled-inbox.js';
import {
  type AppReport,
  type AppSettings,
  HANDLER_TIMEOUT_MS,
  type ListenCommand,
  SETTINGS_VARIABLE,
} from './storm.settings.js';

const settings: AppSettings = JSON.parse(process.env[SETTINGS_VARIABLE] ?? '{}');

process.once('disconnect', () => process.exit());
const journal = new Journal(settings.journalDirectory);
const { inbox, effects } = await openInbox(settings, new Faults(journal));
const transport = await openTransport(settings);
process.once('message', ({ port }: ListenCommand) => listen(port));
report('warm');

async function listen(port: number): Promise<void> {
  const tools = new HandlerTools(journal, settings.seed, new UserDirectory(settings.usersDirectory), effects);

  class StormModule {}
  Module({
    imports: [
      ScalekitWebhooksModule.forRoot({
        signingSecret: SECRET,
        handlerTimeoutMs: HANDLER_TIMEOUT_MS,
        inbox: journaled(inbox, journal),
        ...(transport && { transport }),
      }),
    ],
    providers: [
      { provide: HandlerTools, useValue: tools },
      Plain,
      Users,
      Refusing,
      ...(effects ? [Transactional, Swallowing] : []),
    ],
  })(StormModule);

  const app = await NestFactory.create(StormModule, { logger: false, abortOnError: false });
  await app.listen(port, '127.0.0.1');
  report('listening');
}

function report(message: AppReport): void {
  process.send?.(message);
}
