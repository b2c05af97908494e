import { createServer } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { type CanActivate, Controller, Injectable, Post, Redirect } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { NonRetryableEventError, OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { run } from '../../helpers/running-app.js';
import { OTHER_SECRET } from '../../helpers/secrets.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

class Users {
  @OnScalekitEvent('user.created')
  created() {}

  @OnScalekitEvent('user.deleted')
  deleted() {
    throw new NonRetryableEventError('no tenant');
  }
}

@Injectable()
class Refuse implements CanActivate {
  canActivate() {
    return false;
  }
}

@Controller('old')
class OldRoutes {
  @Post('page')
  page() {
    return '<!doctype html><title>Shop</title>';
  }

  @Post('json')
  json() {
    return { ok: true };
  }

  @Post('moved')
  @Redirect('/webhooks/scalekit', 308)
  moved() {}
}

const endpoint = ScalekitWebhooksModule.forRoot({ signingSecret: SECRET });

describe.each(ADAPTERS)('scalekit-webhooks trigger, with an application on %s:', (_name, adapter) => {
  const application = () =>
    run(adapter, { imports: [endpoint], providers: [Users], controllers: [OldRoutes] });

  const trigger = (url: string, type = 'user.created', secret = SECRET) =>
    runCliCaptured(['trigger', type, '--url', url], { env: { SCALEKIT_WEBHOOK_SECRET: secret } });

  it('says nothing more about the answer of the endpoint', async () => {
    const url = `${await (await application()).getUrl()}/webhooks/scalekit`;

    expect(await trigger(url)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await trigger(url, 'user.deleted')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/^422 /),
      stderr: '',
    });
  });

  it('says that the secret is wrong if the endpoint refuses the signature', async () => {
    const url = `${await (await application()).getUrl()}/webhooks/scalekit`;

    const { exitCode, stdout, stderr } = await trigger(url, 'user.created', OTHER_SECRET);

    expect(stdout).toMatch(/^401 /);
    expect(stderr).toMatch(/^The endpoint refused the signature/);
    expect(exitCode).toBe(1);
  });

  it('tells the answer of a global guard from that of the endpoint', async () => {
    const app = await run(adapter, {
      imports: [endpoint],
      providers: [Users, { provide: APP_GUARD, useClass: Refuse }],
    });

    const { exitCode, stdout, stderr } = await trigger(`${await app.getUrl()}/webhooks/scalekit`);

    expect(stdout).toMatch(/^403 /);
    expect(stderr).toMatch(/^Not the endpoint: .* global guard .*controllerDecorators/);
    expect(exitCode).toBe(1);
  });

  it.each([
    ['a 404', '/api/webhooks/scalekit', /^404 /, /nothing receives POST \/api\/webhooks\/scalekit/],
    ['a web page', '/old/page', /^201 /, /a web page/],
    ['the answer of another route', '/old/json', /^201 /, /something else answered POST \/old\/json/],
    ['a redirect', '/old/moved', /^308 /, /a redirect to \/webhooks\/scalekit/],
  ])('tells %s from the answer of the endpoint', async (_case, path, line, advice) => {
    const { exitCode, stdout, stderr } = await trigger(`${await (await application()).getUrl()}${path}`);

    expect(stdout).toMatch(line);
    expect(stderr).toMatch(/^Not the endpoint: /);
    expect(stderr).toMatch(advice);
    expect(exitCode).toBe(1);
  });

  it('gives each advice once for many events', async () => {
    const url = `${await (await application()).getUrl()}/nowhere`;
    const argv = ['trigger', 'user.created', '--count', '9', '--url', url, '--secret', SECRET];

    expect((await runCliCaptured(argv)).stderr.match(/Not the endpoint/g)).toHaveLength(1);
  });
});

describe('scalekit-webhooks trigger', () => {
  it('does not let a foreign server control the terminal', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(302, { location: '/%1b\u009b31m' }).end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;

    const { stderr } = await runCliCaptured(['trigger', 'user.created', '--url', url, '--secret', SECRET]);

    expect(stderr).not.toContain('\u009b');
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
});
