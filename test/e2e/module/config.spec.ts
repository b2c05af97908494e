import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ModuleMetadata } from '@nestjs/common';
import { type ConfigFactory, ConfigModule, registerAs } from '@nestjs/config';
import { OnScalekitEvent, ScalekitWebhooksModule, scalekitWebhooksConfig } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { runOnExpress } from '../../helpers/running-app.js';
import { OTHER_SECRET, SECRET } from '../../helpers/secrets.js';

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

/** The statuses of two deliveries, each signed with one of the secrets. */
async function statusesFor(imports: NonNullable<ModuleMetadata['imports']>) {
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

    expect(await statusesFor([ScalekitWebhooksModule.forRoot()])).toEqual([201, 401]);
  });

  it('reads several secrets separated by commas', async () => {
    setSecret(` ${SECRET}, ${OTHER_SECRET},`);

    expect(await statusesFor([ScalekitWebhooksModule.forRoot()])).toEqual([201, 201]);
  });

  it.each<[string, unknown]>([
    ['text', OTHER_SECRET],
    ['a list', [OTHER_SECRET]],
  ])('reads the secret from ConfigService if only ConfigService has it, as %s', async (_kind, value) => {
    const config = configModule([() => ({ SCALEKIT_WEBHOOK_SECRET: value })]);

    expect(await statusesFor([config, ScalekitWebhooksModule.forRoot()])).toEqual([401, 201]);
  });

  it('reads the environment if ConfigService has no secret', async () => {
    setSecret(SECRET);

    expect(await statusesFor([configModule([]), ScalekitWebhooksModule.forRoot()])).toEqual([201, 401]);
  });

  it.each([
    ['is missing', undefined, /has no signing secret. Set SCALEKIT_WEBHOOK_SECRET/],
    ['is empty', '', /has no signing secret. Set SCALEKIT_WEBHOOK_SECRET/],
    ['has only commas', ' , ', /has no signing secret. Set SCALEKIT_WEBHOOK_SECRET/],
    ['is not a signing secret', 'secret', /does not begin with "whsec_"/],
    ['has an invalid entry', `${SECRET},whsec_!`, /is not base64/],
  ])('fails at startup if the secret %s', async (_how, value, message) => {
    setSecret(value);

    await expect(runOnExpress({ imports: [ScalekitWebhooksModule.forRoot()] })).rejects.toMatchObject({
      name: 'ScalekitWebhooksConfigurationError',
      setting: 'signingSecret',
      message: expect.stringMatching(message),
    });
  });

  it('fails at startup if the secret in ConfigService is not text', async () => {
    const config = configModule([() => ({ SCALEKIT_WEBHOOK_SECRET: 12345 })]);

    await expect(runOnExpress({ imports: [config, ScalekitWebhooksModule.forRoot()] })).rejects.toMatchObject(
      { setting: 'signingSecret' },
    );
  });
});

describe('scalekitWebhooksConfig', () => {
  it('configures the module through load and KEY', async () => {
    setSecret(SECRET);
    const imports = [
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [scalekitWebhooksConfig] }),
      ScalekitWebhooksModule.forRootAsync({
        inject: [scalekitWebhooksConfig.KEY],
        useFactory: (config: ReturnType<typeof scalekitWebhooksConfig>) => config,
      }),
    ];

    expect(await statusesFor(imports)).toEqual([201, 401]);
  });

  it('configures the module through asProvider', async () => {
    setSecret(`${SECRET},${OTHER_SECRET}`);
    const imports = [
      configModule([]),
      ScalekitWebhooksModule.forRootAsync(scalekitWebhooksConfig.asProvider()),
    ];

    expect(await statusesFor(imports)).toEqual([201, 201]);
  });

  it('has every property of a namespace that registerAs creates', () => {
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

  it('leaves a missing secret for startup to report', async () => {
    const imports = [
      configModule([]),
      ScalekitWebhooksModule.forRootAsync(scalekitWebhooksConfig.asProvider()),
    ];

    await expect(runOnExpress({ imports })).rejects.toThrow(/has no signing secret/);
  });
});
