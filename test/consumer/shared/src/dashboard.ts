import { deepEqual, equal, match } from 'node:assert/strict';
import { type CanActivate, type ExecutionContext, Module } from '@nestjs/common';
import { ScalekitDashboardModule } from 'nestjs-scalekit-webhooks/dashboard';
import { AppModule } from './app.module.js';

const HEADER = 'x-api-key';

class OperatorGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest().headers[HEADER] === 'operator';
  }
}

@Module({ imports: [AppModule, ScalekitDashboardModule.forRoot({ guards: [OperatorGuard] })] })
export class OperatedModule {}

/** Dismisses the dead run of an event, as a browser does. */
export async function useDashboard(origin: string, eventId: string): Promise<void> {
  const base = `${origin}/admin/webhooks`;
  const headers = { [HEADER]: 'operator', origin };
  equal((await fetch(`${base}/overview`)).status, 403);
  const start = await fetch(base, { headers, redirect: 'manual' });
  deepEqual([start.status, start.headers.get('location')], [303, './webhooks/overview']);
  match(await (await fetch(`${base}/overview`, { headers })).text(), /UserHandlers\.welcome/);

  const entry = await fetch(`${base}/entry?endpoint=default&event=${eventId}`, { headers });
  const [action = ''] = /act\?action=dismiss[^"]+/.exec(await entry.text()) ?? [];
  const acted = await fetch(`${base}/${action.replaceAll('&amp;', '&')}`, {
    method: 'POST',
    headers: { ...headers, cookie: entry.headers.getSetCookie()[0]?.split(';')[0] ?? '' },
    body: '',
    redirect: 'manual',
  });
  equal(acted.status, 303);
  match(acted.headers.get('location') ?? '', /did=dismissed$/);
}
