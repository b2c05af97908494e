import 'reflect-metadata';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { type DynamicModule, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { OnScalekitEvent } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { Pool } from 'pg';

// Runs an example of the documentation and continues at each line of its input.
const [, , , example = '', postgresUrl, redisUrl, secret] = process.argv;
Object.assign(process.env, {
  POSTGRES_URL: postgresUrl,
  REDIS_URL: redisUrl,
  SCALEKIT_WEBHOOK_SECRET: secret,
});
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const proceed = () => lines.next();

@Injectable()
class Handlers {
  @OnScalekitEvent('user.created')
  handle() {
    console.log('handled');
  }
}

/** An application with the example's module delivers one event to itself for each line. */
async function serve(module: DynamicModule): Promise<void> {
  const app = await NestFactory.create(
    { module: class Example {}, imports: [module], providers: [Handlers] },
    { logger: false },
  );
  const scalekit = new ScalekitWebhookTester(app);
  for (;;) {
    const { status } = await scalekit.deliver(createScalekitEvent('user.created'));
    if (status >= 300) console.log(`refused with ${status}`);
    await proceed();
  }
}

/** The example's handler checks a client out, and stops in the middle of its transaction. */
async function transact(handle: (pool: Pool, delivery: object) => Promise<void>): Promise<void> {
  const pool = new Pool({ connectionString: postgresUrl, max: 1 });
  pool.on('error', () => {});
  await pool.query('CREATE TABLE seats (organization text, used integer)');
  const complete = async () => {
    console.log('in a transaction');
    await proceed();
  };
  for (;;) {
    await handle(pool, { complete }).then(
      () => console.log('handled'),
      () => console.log('failed'),
    );
  }
}

const { webhooks, AppModule, SeatHandlers } = await import(pathToFileURL(example).href);
if (SeatHandlers) {
  const event = createScalekitEvent('user.organization_membership_created');
  await transact((pool, delivery) => new SeatHandlers(pool).takeSeat(event, delivery));
} else {
  await serve(AppModule ?? webhooks);
}
