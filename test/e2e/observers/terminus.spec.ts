import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, type INestApplication, Inject } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import {
  type InboxStore,
  InboxTransport,
  MemoryInboxStore,
  NonRetryableEventError,
  OnScalekitEvent,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { ScalekitRecoveryModule } from 'nestjs-scalekit-webhooks/recovery';
import {
  ScalekitInboxHealthIndicator,
  type ScalekitInboxHealthOptions,
} from 'nestjs-scalekit-webhooks/terminus';
import {
  createScalekitEvent,
  ScalekitWebhookTester,
  SimulatedEventsApi,
} from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { holdDate } from '../../helpers/clock.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, type AdapterFactory, SECRET } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';
import { sqliteInbox } from '../recovery/recovery-app.js';

const HOUR = 60 * 60_000;
const [[, express]] = ADAPTERS as readonly [readonly [string, AdapterFactory]];

class Users {
  failure: Error | undefined;

  @OnScalekitEvent('user.created', { id: 'Users.created' })
  created() {
    if (this.failure) throw this.failure;
  }
}

let thresholds: ScalekitInboxHealthOptions = {};

@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(ScalekitInboxHealthIndicator) private readonly scalekit: ScalekitInboxHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.scalekit.isHealthy('scalekit', thresholds)]);
  }
}

async function start(
  inbox: InboxStore,
  {
    adapter = express,
    api,
    ...options
  }: ScalekitWebhooksOptions & { adapter?: AdapterFactory; api?: SimulatedEventsApi } = {},
) {
  const recovery = api ? [ScalekitRecoveryModule.forRoot({ client: api.client, onStart: false })] : [];
  const logger = new CapturedLogger();
  const app = await run(
    adapter,
    {
      imports: [
        TerminusModule.forRoot({ logger: false }),
        ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox, ...options }),
        ...recovery,
      ],
      controllers: [HealthController],
      providers: [Users, ScalekitInboxHealthIndicator],
    },
    undefined,
    { logger },
  );
  thresholds = {};
  return { app, logger, users: app.get(Users), scalekit: new ScalekitWebhookTester(app) };
}

async function healthOf(app: INestApplication) {
  const response = await fetch(`${await app.getUrl()}/health`);
  const { details } = (await response.json()) as { details: { scalekit: Record<string, unknown> } };
  const { status: state, ...others } = details.scalekit;
  return { status: response.status, state, ...others };
}

describe.each(ADAPTERS)('ScalekitInboxHealthIndicator, on %s', (_name, adapter) => {
  it('is up, and has only what applies to the endpoint', async () => {
    const { app } = await start(new MemoryInboxStore(), { adapter });

    expect(await healthOf(app)).toEqual({ status: 200, state: 'up', waiting: 0, backlogAgeMs: 0, dead: 0 });
  });

  it('is down if the inbox fails, and the log says why', async () => {
    const inbox = new MemoryInboxStore();
    const { app, logger } = await start(inbox, { adapter });
    jest.spyOn(inbox, 'ping').mockRejectedValue(new Error('password of "shop" is wrong'));

    expect(await healthOf(app)).toEqual({
      status: 503,
      state: 'down',
      problems: ['The inbox cannot be used'],
    });
    expect(logger.ours('warn')).toContain('The inbox cannot be used: Error: password of "shop" is wrong');
  });
});

describe('ScalekitInboxHealthIndicator', () => {
  it('is down if the inbox does not answer in time', async () => {
    const inbox = new MemoryInboxStore();
    const { app } = await start(inbox);
    jest.spyOn(inbox, 'stats').mockReturnValue(new Promise(() => {}));
    thresholds = { timeoutMs: 10 };

    expect(await healthOf(app)).toMatchObject({ state: 'down', problems: ['The inbox cannot be used'] });
  });

  it('is down if a run has waited for too long', async () => {
    const { app, users, scalekit } = await start(new MemoryInboxStore());
    holdDate();
    users.failure = new Error('down');
    await scalekit.deliver(createScalekitEvent('user.created'));
    const early = await healthOf(app);
    jest.setSystemTime(Date.now() + HOUR + 1);

    expect(early).toMatchObject({ state: 'up', waiting: 1, backlogAgeMs: 0 });
    expect(await healthOf(app)).toMatchObject({
      state: 'down',
      backlogAgeMs: HOUR + 1,
      problems: [`maxBacklogAgeMs is ${HOUR}, and the current value is ${HOUR + 1}`],
    });
  });

  it('is down if more runs are dead than allowed', async () => {
    const { app, users, scalekit } = await start(new MemoryInboxStore());
    users.failure = new NonRetryableEventError('gone');
    await scalekit.deliver(createScalekitEvent('user.created'));

    expect(await healthOf(app)).toMatchObject({ state: 'up', dead: 1 });
    thresholds = { maxDeadRuns: 0 };
    expect(await healthOf(app)).toMatchObject({
      state: 'down',
      problems: ['maxDeadRuns is 0, and the current value is 1'],
    });
  });

  it('is down if the worker cannot take runs', async () => {
    const inbox = await sqliteInbox();
    const { app } = await start(inbox, { transport: new InboxTransport({ pollIntervalMs: 10 }) });
    const alive = await healthOf(app);
    const take = jest.spyOn(inbox, 'takeDue').mockRejectedValue(new Error('no such table'));
    await until(
      () => take.mock.calls.length,
      (calls) => calls > 0,
    );
    thresholds = { maxWorkerSilenceMs: 1 };
    const dead = await until(
      () => healthOf(app),
      ({ state }) => state === 'down',
    );

    expect(alive).toMatchObject({ state: 'up', workerSilenceMs: expect.any(Number) });
    expect(dead).toMatchObject({ problems: [expect.stringMatching(/^maxWorkerSilenceMs is 1/)] });
  });

  it('is down if recovery is behind', async () => {
    const { app } = await start(await sqliteInbox(), { api: new SimulatedEventsApi() });
    const fresh = await healthOf(app);
    holdDate();
    jest.setSystemTime(Date.now() + 3 * HOUR + 1000);

    expect(fresh).toMatchObject({ state: 'up', recoveryAgeMs: expect.any(Number) });
    expect(await healthOf(app)).toMatchObject({
      state: 'down',
      problems: [expect.stringMatching(/^maxRecoveryAgeMs is 10800000/)],
    });
  });

  it('refuses an endpoint that does not exist', async () => {
    const { app } = await start(new MemoryInboxStore());

    await expect(
      app.get(ScalekitInboxHealthIndicator).isHealthy('x', { endpoint: 'live' }),
    ).rejects.toMatchObject({ setting: 'endpoint' });
  });
});
