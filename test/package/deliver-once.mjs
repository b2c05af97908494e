// Runs one delivery through a built package, and prints its status and the files of the package that took part:
// `node deliver-once.mjs <directory with the ESM build>`.
import 'reflect-metadata';
import { Session } from 'node:inspector/promises';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

const [build] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(build, path)).href);
const { OnScalekitEvent, ScalekitWebhooksModule } = await load('index.js');
const { createScalekitEvent, signWebhook } = await load('testing/index.js');

const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
let handled = 0;

class UserHandlers {
  create() {
    handled += 1;
  }
}
const descriptor = Object.getOwnPropertyDescriptor(UserHandlers.prototype, 'create');
OnScalekitEvent('user.created')(UserHandlers.prototype, 'create', descriptor);

class AppModule {}
Module({
  imports: [ScalekitWebhooksModule.forRoot({ signingSecret: secret })],
  providers: [UserHandlers],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0, '127.0.0.1');
const payload = JSON.stringify(createScalekitEvent('user.created'));
const headers = { 'content-type': 'application/json', ...signWebhook({ payload, secret }) };

const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
const { status } = await fetch(`${await app.getUrl()}/webhooks/scalekit`, {
  method: 'POST',
  headers,
  body: payload,
});
const { result } = await session.post('Profiler.takePreciseCoverage');
session.disconnect();
await app.close();

// Code at the top level of a file is an unnamed function that starts at its first character.
const isTopLevel = ({ functionName, ranges: [whole] }) => functionName === '' && whole.startOffset === 0;
const files = result
  .filter(({ url }) => url.startsWith(pathToFileURL(join(build, '/')).href))
  .filter(({ functions }) => functions.some((each) => each.ranges[0].count > 0 && !isTopLevel(each)))
  .map(({ url }) => relative(build, fileURLToPath(url)))
  .sort();
console.log(JSON.stringify({ status, handled, files }));
