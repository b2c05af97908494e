import 'reflect-metadata';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { type DynamicModule, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { Client, Pool } from 'pg';
import { DataSource } from 'typeorm';

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

/** The example's handler stops in the middle of its transaction. The same event is delivered until it is handled. */
async function transact(makeHandlers: (dataSource: DataSource) => object): Promise<void> {
  const pool = new Pool({ connectionString: postgresUrl });
  pool.on('error', () => {});
  await pool.query('DROP TABLE IF EXISTS seats; CREATE TABLE seats (organization text, used integer)');
  const dataSource = await new DataSource({
    type: 'postgres',
    url: postgresUrl,
    logging: false,
  }).initialize();
  stopAfter(/UPDATE seats/);
  const inbox = new PostgresInboxStore({ client: pool, application: 'billing' });
  const module = ScalekitWebhooksModule.forRoot({ inbox });
  const app = await NestFactory.create(
    {
      module: class Example {},
      imports: [module],
      providers: [{ provide: SeatHandlers, useFactory: () => makeHandlers(dataSource) }],
    },
    { logger: false },
  );
  const scalekit = new ScalekitWebhookTester(app);
  const event = createScalekitEvent('user.organization_membership_created');
  for (;;) {
    const { status } = await scalekit.deliver(event);
    console.log(status === 201 ? 'handled' : 'failed');
  }
}

/** Stops after each statement that matches, on every connection. */
function stopAfter(statement: RegExp): void {
  const { query } = Client.prototype;
  const run = function (this: Client, ...args: never[]) {
    const result: unknown = Reflect.apply(query, this, args);
    if (!statement.test(String(args[0]))) return result;
    return Promise.resolve(result).then(async (rows) => {
      console.log('in a transaction');
      await proceed();
      return rows;
    });
  };
  Reflect.set(Client.prototype, 'query', run);
}

const { webhooks, AppModule, SeatHandlers } = await import(pathToFileURL(example).href);
if (SeatHandlers) {
  await transact((dataSource) => new SeatHandlers(dataSource));
} else {
  await serve(AppModule ?? webhooks);
}
