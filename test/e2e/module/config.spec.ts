import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ModuleMetadata } from '@nestjs/common';
import { type ConfigFactory, ConfigModule, registerAs } from '@nestjs/config';
import { OnScalekitEvent, ScalekitWebhooksModule, scalekitWebhooksConfig } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { runOnExpress } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/test-app.js';

const OTHER_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;

class Handlers {
  @OnScalekitEvent('user.created')
  created() {}
}

const setSecret = (value: string | undefined) => {
  if (value === undefined) delete process.env.SCALEKIT_WEBHOOK_SECRET;
  else process.env.SCALEKIT_WEBHOOK_SECRET = value;
};
const valueBefore = process.env.SCALEKIT_WEBHOOK_SECRET;
beforeEach(() => setSecret(undefined));
afterEach(() => setSecret(valueBefore));

const configModule = (load: ConfigFactory[]) => ConfigModule.forRoot({ ignoreEnvFile: true, load });

/** Which of the two secrets the application takes. */
async function taken(imports: NonNullable<ModuleMetadata['imports']>) {
  const app = await runOnExpress({ imports, providers: [Handlers] });
  const scalekit = new ScalekitWebhookTester(app);
  const statuses: number[] = [];
  for (const secret of [SECRET, OTHER_SECRET]) {
    statuses.push((await scalekit.deliver(createScalekitEvent('user.created'), { secret })).status);
  }
  return statuses;
}

describe('forRoot() without options', () => {
  it('reads the secret from the environment', async () => {
    setSecret(SECRET);

    expect(await taken([ScalekitWebhooksModule.forRoot()])).toEqual([201, 401]);
  });

  it('reads several secrets, separated by commas, while one replaces the other', async () => {
    setSecret(` ${SECRET}, ${OTHER_SECRET},`);

    expect(await taken([ScalekitWebhooksModule.forRoot()])).toEqual([201, 201]);
  });

  it.each<[string, unknown]>([
    ['text', OTHER_SECRET],
    ['a list', [OTHER_SECRET]],
  ])('reads the secret from ConfigService where it is %s there alone', async (_kind, value) => {
    const config = configModule([() => ({ SCALEKIT_WEBHOOK_SECRET: value })]);

    expect(await taken([config, ScalekitWebhooksModule.forRoot()])).toEqual([401, 201]);
  });

  it('reads the environment where ConfigService has no secret', async () => {
    setSecret(SECRET);

    expect(await taken([configModule([]), ScalekitWebhooksModule.forRoot()])).toEqual([201, 401]);
  });

  it.each([
    ['is missing', undefined, /has no signing secret: set SCALEKIT_WEBHOOK_SECRET/],
    ['is empty', '', /has no signing secret: set SCALEKIT_WEBHOOK_SECRET/],
    ['is commas alone', ' , ', /has no signing secret: set SCALEKIT_WEBHOOK_SECRET/],
    ['is no secret', 'secret', /does not begin with "whsec_"/],
    ['is in part no secret', `${SECRET},whsec_!`, /is not base64/],
  ])('is an error at boot where the secret %s', async (_how, value, message) => {
    setSecret(value);

    await expect(runOnExpress({ imports: [ScalekitWebhooksModule.forRoot()] })).rejects.toMatchObject({
      name: 'ScalekitWebhooksConfigurationError',
      setting: 'signingSecret',
      message: expect.stringMatching(message),
    });
  });

  it('is an error at boot where ConfigService has what is no text', async () => {
    const config = configModule([() => ({ SCALEKIT_WEBHOOK_SECRET: 12345 })]);

    await expect(runOnExpress({ imports: [config, ScalekitWebhooksModule.forRoot()] })).rejects.toMatchObject(
      { setting: 'signingSecret' },
    );
  });
});

describe('scalekitWebhooksConfig', () => {
  it('gives the module its settings through load and KEY', async () => {
    setSecret(SECRET);
    const imports = [
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [scalekitWebhooksConfig] }),
      ScalekitWebhooksModule.forRootAsync({
        inject: [scalekitWebhooksConfig.KEY],
        useFactory: (config: ReturnType<typeof scalekitWebhooksConfig>) => config,
      }),
    ];

    expect(await taken(imports)).toEqual([201, 401]);
  });

  it('gives the module its settings through asProvider', async () => {
    setSecret(`${SECRET},${OTHER_SECRET}`);
    const imports = [
      configModule([]),
      ScalekitWebhooksModule.forRootAsync(scalekitWebhooksConfig.asProvider()),
    ];

    expect(await taken(imports)).toEqual([201, 201]);
  });

  it('has every property that registerAs gives to a namespace', () => {
    const registered = registerAs('scalekitWebhooks', () => ({}));
    const properties = Object.getOwnPropertyNames(registered).filter(
      (key) => !['length', 'name'].includes(key),
    );

    expect(Object.keys(scalekitWebhooksConfig).sort()).toEqual(properties.sort());
    expect(scalekitWebhooksConfig.KEY).toBe(registered.KEY);
    expect(Reflect.get(scalekitWebhooksConfig, 'PARTIAL_CONFIGURATION_KEY')).toBe(
      Reflect.get(registered, 'PARTIAL_CONFIGURATION_KEY'),
    );
    expect(scalekitWebhooksConfig.asProvider().inject).toEqual(registered.asProvider().inject);
  });

  it('leaves a missing secret to be reported at boot', async () => {
    const imports = [
      configModule([]),
      ScalekitWebhooksModule.forRootAsync(scalekitWebhooksConfig.asProvider()),
    ];

    await expect(runOnExpress({ imports })).rejects.toThrow(/has no signing secret/);
  });
});
