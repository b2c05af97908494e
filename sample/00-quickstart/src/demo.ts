import { NestFactory } from '@nestjs/core';
import {
  createScalekitEvent,
  ScalekitWebhookTester,
  type TestDeliveryAnswer,
} from 'nestjs-scalekit-webhooks/testing';

// A made-up secret: the demo signs its own deliveries.
process.env.SCALEKIT_WEBHOOK_SECRET ??= `whsec_${Buffer.from('a made-up secret for this demo..').toString('base64')}`;

const { AppModule } = await import('./app.module.js');
const { DirectoryHandlers } = await import('./directory.handlers.js');
const { UserHandlers } = await import('./user.handlers.js');

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(0, '127.0.0.1');
const scalekit = new ScalekitWebhookTester(app);
const users = app.get(UserHandlers);
const directory = app.get(DirectoryHandlers);

const userCreated = createScalekitEvent('user.created');
const directoryUserCreated = createScalekitEvent('organization.directory.user_created');

console.log('\nResponses');
show('user created', 201, await scalekit.deliver(userCreated));
show('directory user created', 201, await scalekit.deliver(directoryUserCreated));
show('the first event again', 200, await scalekit.deliver(userCreated));
show('forged signature', 401, await scalekit.withForgedSignature(createScalekitEvent('user.created')));

console.log('\nHandlers');
show('UserHandlers.welcome', 1, users.welcomed);
show('DirectoryHandlers.provision', 1, directory.provisioned);
show('DirectoryHandlers.observe', 1, directory.seen);

await app.close();

/** Prints a result, and makes the demo fail if it is not the expected one. */
function show(what: string, expected: number, actual: TestDeliveryAnswer | readonly string[]): void {
  const found = 'status' in actual ? actual.status : actual.length;
  const text = 'status' in actual ? `${actual.status} ${JSON.stringify(actual.body)}` : actual.join(', ');
  console.log(`  ${what.padEnd(30)} ${text}`);
  if (found !== expected) {
    console.error(`  expected ${expected}`);
    process.exitCode = 1;
  }
}
