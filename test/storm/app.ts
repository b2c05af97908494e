// One process of the application. It loads its packages, waits for its role, and listens or works until it is killed.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { SECRET } from '../helpers/secrets.js';
import { Ordered, Plain, Transactional } from './app.handlers.js';
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
  SETTINGS_VARIABLE,
  type StartCommand,
  worksFromInbox,
} from './storm.settings.js';

const settings: AppSettings = JSON.parse(process.env[SETTINGS_VARIABLE] ?? '{}');

process.once('disconnect', () => process.exit());
const journal = new Journal(settings.journalDirectory);
const { inbox, effects } = await openInbox(settings, new Faults(journal));
process.once('message', ({ port }: StartCommand) => start(port));
report('warm');

async function start(port: number | undefined): Promise<void> {
  const transport = await openTransport(settings, port === undefined);
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
      ...(worksFromInbox(settings.mode) ? [Ordered] : []),
    ],
  })(StormModule);

  const options = { logger: false, abortOnError: false } as const;
  if (port === undefined) await NestFactory.createApplicationContext(StormModule, options);
  else await (await NestFactory.create(StormModule, options)).listen(port, '127.0.0.1');
  report('started');
}

function report(message: AppReport): void {
  process.send?.(message);
}
