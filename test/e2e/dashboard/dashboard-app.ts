import type { INestApplication, ModuleMetadata, NestApplicationOptions } from '@nestjs/common';
import { type CanActivate, type ExecutionContext, Inject, Injectable, Module } from '@nestjs/common';
import {
  type InboxStore,
  InboxTransport,
  MemoryInboxStore,
  OnScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { ScalekitDashboardModule } from 'nestjs-scalekit-webhooks/dashboard';
import { run } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/secrets.js';
import type { AdapterFactory } from '../../helpers/test-app.js';

/** What the guard of the tests asks, so that it needs dependency injection. */
@Injectable()
export class Operators {
  isKnown(key: unknown): boolean {
    return key === 'operator';
  }
}

@Module({ providers: [Operators], exports: [Operators] })
export class OperatorsModule {}

@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(Operators) private readonly operators: Operators) {}

  canActivate(context: ExecutionContext): boolean {
    return this.operators.isKnown(context.switchToHttp().getRequest().headers['x-api-key']);
  }
}

/** Fails until it is repaired. */
export class WelcomeHandlers {
  isBroken = true;
  readonly seen: string[] = [];

  @OnScalekitEvent('user.created', { id: 'welcome' })
  welcome({ id }: { readonly id: string }) {
    if (this.isBroken) throw new Error('no mail server');
    this.seen.push(id);
  }
}

type Options = Parameters<typeof ScalekitDashboardModule.forRoot>[0];

/** An application with a dashboard, behind the guard if the options do not say otherwise. */
export async function startDashboard(
  adapter: AdapterFactory,
  {
    inbox = new MemoryInboxStore(),
    dashboard = { guards: [AdminGuard], imports: [OperatorsModule] },
    withWorker = false,
    configure,
    options,
    ...metadata
  }: ModuleMetadata & {
    inbox?: InboxStore;
    dashboard?: Options;
    withWorker?: boolean;
    configure?: (app: INestApplication) => void;
    options?: NestApplicationOptions;
  } = {},
): Promise<INestApplication> {
  const transport = withWorker ? { transport: new InboxTransport() } : {};
  return run(
    adapter,
    {
      ...metadata,
      imports: [
        ...(metadata.imports ?? []),
        ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox, ...transport }),
        ScalekitDashboardModule.forRoot(dashboard),
      ],
      providers: [WelcomeHandlers, ...(metadata.providers ?? [])],
    },
    configure,
    options,
  );
}

interface StoredText {
  readonly type?: string;
  readonly error?: string;
  readonly payload?: string;
  readonly organizationId?: string;
  readonly entity?: string;
}

/** Stores an event whose runs ended like this. Any text may be hostile. */
export async function store(
  inbox: InboxStore,
  eventId: string,
  runs: Readonly<Record<string, 'done' | 'failed' | 'dead'>>,
  { type = 'user.created', error = 'no mail server', payload = '', ...about }: StoredText = {},
): Promise<void> {
  const key = { endpoint: 'default', eventId };
  const event = { ...key, ...about, type, occurredAt: '2026-01-01T00:00:00Z', payload: Buffer.from(payload) };
  const lease = { token: `lease of ${eventId}`, durationMs: 60_000 };
  await inbox.claim(event, Object.keys(runs), lease);
  const settlements = Object.entries(runs).map(([handlerId, state]) => ({
    handlerId,
    state,
    ...(state !== 'done' && { error: { name: 'Error', message: error } }),
  }));
  await inbox.settle(key, settlements, lease);
}
