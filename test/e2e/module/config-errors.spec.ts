import { describe, expect, it } from '@jest/globals';
import { ScalekitWebhooksConfigurationError, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { runOnExpress } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/test-app.js';

/** The error with which the application fails to start. The options are untyped, as in JavaScript. */
async function refusalOf(options: object, how: 'forRoot' | 'forRootAsync' = 'forRoot') {
  const start = async () => {
    const given = { signingSecret: SECRET, ...options };
    const module =
      how === 'forRoot'
        ? ScalekitWebhooksModule.forRoot(given)
        : ScalekitWebhooksModule.forRootAsync({ useFactory: () => given });
    await runOnExpress({ imports: [module] });
  };
  const error: unknown = await start().then(
    () => undefined,
    (thrown) => thrown,
  );
  if (!(error instanceof ScalekitWebhooksConfigurationError))
    throw error ?? new Error('the application started');
  return { setting: error.setting, message: error.message };
}

const BAD_OPTIONS: [setting: string, options: object, message: RegExp][] = [
  ['signingSecret', { signingSecret: '' }, /secret is empty/],
  ['signingSecret', { signingSecret: [] }, /has no signing secret/],
  ['signingSecret', { signingSecret: 'whsec_' }, /ends after "whsec_"/],
  ['signingSecret', { signingSecret: 'whsec_!!!!' }, /is not base64/],
  ['signingSecret', { signingSecret: [SECRET, 'sk_live'] }, /does not begin with "whsec_"/],
  ['signingSecret', { signingSecret: 42 }, /must be a string; found number/],
  ['signingSecret', { signingSecret: null }, /must be a string; found object/],
  ['handlerTimeoutMs', { handlerTimeoutMs: 0 }, /handlerTimeoutMs must be a whole number.*found 0/],
  ['handlerTimeoutMs', { handlerTimeoutMs: '9s' }, /handlerTimeoutMs must be a whole number.*found "9s"/],
  ['handlerTimeoutMs', { handlerTimeoutMs: 2 ** 30 }, /handlerTimeoutMs must be at most 1073741823/],
  ['maxBodyBytes', { maxBodyBytes: -1 }, /maxBodyBytes must be a whole number/],
  ['maxBodyBytes', { maxBodyBytes: 1.5 }, /maxBodyBytes must be a whole number/],
  ['toleranceSeconds', { toleranceSeconds: -1 }, /toleranceSeconds must be/],
  ['toleranceSeconds', { toleranceSeconds: Number.NaN }, /toleranceSeconds must be/],
  ['validation', { validation: 'loose' }, /validation accepts only strict, lenient, off; found "loose"/],
  ['environmentId', { environmentId: [] }, /environmentId must be/],
  ['environmentId', { environmentId: '' }, /environmentId must be/],
  ['environmentId', { environmentId: ['env_1', 2] }, /environmentId must be/],
  ['statusCodes.processed', { statusCodes: { processed: 500 } }, /statusCodes.processed cannot be 500/],
  ['statusCodes.failed', { statusCodes: { failed: 200 } }, /statusCodes.failed cannot be 200/],
  ['statusCodes.failed', { statusCodes: { failed: 500.5 } }, /statusCodes.failed cannot be 500.5/],
  [
    'statusCodes.done',
    { statusCodes: { done: 200 } },
    /Unknown option "statusCodes.done". The options are processed, /,
  ],
  [
    'statusCodes.toString',
    { statusCodes: { toString: 200 } },
    /Unknown option "statusCodes.toString". The options are processed, /,
  ],
  ['verifier', { verifier: 'sdk' }, /verifier must be a function/],
  ['inbox', { inbox: {} }, /inbox must be an object with a claim/],
  ['transport', { transport: () => {} }, /transport must be an object with a start/],
  ['eventEmitter', { eventEmitter: 'false' }, /eventEmitter accepts only true, false; found "false"/],
];

describe('an invalid option fails at startup and names the setting:', () => {
  it.each(BAD_OPTIONS)('%s in %j', async (setting, options, message) => {
    expect(await refusalOf(options)).toEqual({ setting, message: expect.stringMatching(message) });
  });

  it.each(BAD_OPTIONS.slice(0, 2))('%s in %j, returned by a factory', async (setting, options, message) => {
    expect(await refusalOf(options, 'forRootAsync')).toEqual({
      setting,
      message: expect.stringMatching(message),
    });
  });

  it.each([
    ['name', ''],
    ['name', 'a b'],
    ['name', 'x'.repeat(65)],
    ['name', 5],
    ['path', ''],
    ['path', '/'],
    ['path', 'webhooks//scalekit'],
    ['path', 'webhooks/*'],
    ['path', 'webhooks?x=1'],
    ['path', ['a', 'b']],
  ])('%s set to %j', async (setting, value) => {
    expect(await refusalOf({ [setting]: value })).toEqual({
      setting,
      message: expect.stringMatching(new RegExp(`^${setting} must .* found`)),
    });
  });

  it.each(['path', 'name', 'controllerDecorators', 'isGlobal'])(
    '%s, returned by a factory although it shapes the route',
    async (setting) => {
      expect(await refusalOf({ [setting]: 'too-late' }, 'forRootAsync')).toEqual({
        setting,
        message: expect.stringContaining('Pass it to forRootAsync, next to useFactory'),
      });
    },
  );

  it('no options at all, returned by a factory', async () => {
    const module = ScalekitWebhooksModule.forRootAsync({
      useFactory: () => Reflect.get({}, 'nothing'),
    });

    await expect(runOnExpress({ imports: [module] })).rejects.toThrow(
      'The factory returned no options; return {} to use the defaults.',
    );
  });
});
