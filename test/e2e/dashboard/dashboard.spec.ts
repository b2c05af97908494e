import { describe, expect, it, jest } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  type INestApplication,
  ValidationPipe,
  VersioningType,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';
import { MemoryInboxStore, ScalekitInbox, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { ScalekitDashboardModule } from 'nestjs-scalekit-webhooks/dashboard';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { map } from 'rxjs';
import { send } from '../../helpers/raw-request.js';
import { run } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/secrets.js';
import { openSqlite } from '../../helpers/sqlite-files.js';
import { ADAPTERS } from '../../helpers/test-app.js';
import {
  AdminGuard,
  Operators,
  OperatorsModule,
  startDashboard,
  store,
  WelcomeHandlers,
} from './dashboard-app.js';

const OPERATOR = { 'x-api-key': 'operator' };
const BASE = '/admin/webhooks';

/** An operator's browser, without JavaScript: it keeps the cookie, and presses buttons. */
class Operator {
  #cookie = '';

  constructor(
    private readonly app: INestApplication,
    private readonly base = BASE,
  ) {}

  async open(page: string) {
    const answer = await send(this.app, {
      method: 'GET',
      path: `${this.base}/${page}`,
      headers: { ...OPERATOR, cookie: this.#cookie },
    });
    this.#cookie = answer.headers['set-cookie']?.[0]?.split(';')[0] ?? this.#cookie;
    return answer;
  }

  /** Where the first button leads whose address contains all of these texts. */
  addressOn(html: string, ...texts: readonly string[]): string {
    const actions = [...html.matchAll(/action="(act\?[^"]+)"/g)].map(([, action = '']) =>
      withoutEntities(action),
    );
    const found = actions.find((action) => texts.every((text) => action.includes(text)));
    if (found === undefined) throw new Error(`no button for ${texts} among ${actions}`);
    return found;
  }

  press(address: string, headers: Record<string, string | undefined> = {}, app = this.app) {
    const own = { ...OPERATOR, cookie: this.#cookie, 'sec-fetch-site': 'same-origin', ...headers };
    const given = Object.entries(own).filter(([, value]) => value !== undefined);
    return send(app, {
      path: `${this.base}/${address}`,
      headers: { 'content-type': 'text/plain', 'content-length': 0, ...Object.fromEntries(given) },
    });
  }
}

function withoutEntities(html: string): string {
  return html.replaceAll('&amp;', '&');
}

/** What a browser shows of the markup, roughly: every tag that is in it. */
function tagsOf(html: string): Set<string> {
  return new Set([...html.matchAll(/<\/?([a-z][^\s>]*)/gi)].map(([, name = '']) => name.toLowerCase()));
}

async function stateOf(inbox: MemoryInboxStore, eventId: string) {
  const entry = await inbox.get({ endpoint: 'default', eventId });
  return entry?.runs.map(({ state }) => state);
}

describe.each(ADAPTERS)('the dashboard on %s', (_name, adapter) => {
  it('shows the handlers of each endpoint with their counts', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead', removed: 'failed' });
    const operator = new Operator(await startDashboard(adapter, { inbox }));

    const { status, text, headers } = await operator.open('overview');

    expect(status).toBe(200);
    expect(text).toContain('<h2 id="endpoint-default">Endpoint default</h2>');
    expect(text).toMatch(/<th scope="row">welcome<\/th>.*<td class="number dead">1<\/td>/);
    expect(text).toMatch(/<th scope="row">removed<\/th>.*<td class="number failed">1<\/td>/);
    expect(text).toContain('<dt>Backlog</dt><dd>1 waiting, 0 running</dd>');
    expect(text).not.toContain('>Pause<');
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'content-security-policy': expect.stringMatching(
        /^default-src 'none'; script-src 'nonce-[\w-]{22}'; style-src 'nonce-[\w-]{22}'; .*frame-ancestors 'none'/,
      ),
      'set-cookie': [
        expect.stringMatching(/^scalekit-webhooks-dashboard=[\w-]{43}; HttpOnly; SameSite=Strict$/),
      ],
    });
  });

  it('shows how many events each of the last hours brought, and how many of them need attention', async () => {
    const now = jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2026, 0, 2, 3, 30));
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'done' });
    await store(inbox, 'evt_2', { welcome: 'dead' });
    now.mockReturnValue(Date.UTC(2026, 0, 2, 5, 0));
    await store(inbox, 'evt_3', { welcome: 'failed' });
    now.mockReturnValue(Date.UTC(2026, 0, 2, 5, 59));
    const operator = new Operator(await startDashboard(adapter, { inbox }));

    const { text } = await operator.open('overview').finally(() => now.mockRestore());

    const rows = [...text.matchAll(/<th scope="row"><time datetime="([^"]+)">.*?<\/tr>/g)].map(
      ([row, from]) => [
        from,
        ...[...row.matchAll(/<td class="number">(\d+)<\/td>/g)].map(([, amount]) => Number(amount)),
      ],
    );
    expect(rows).toHaveLength(12);
    expect(rows.slice(-4)).toEqual([
      ['2026-01-02T02:00:00.000Z', 0, 0, 0],
      ['2026-01-02T03:00:00.000Z', 2, 0, 1],
      ['2026-01-02T04:00:00.000Z', 0, 0, 0],
      ['2026-01-02T05:00:00.000Z', 1, 1, 0],
    ]);
    expect(text).toContain('<rect class="received" x="360" y="0" width="32" height="96"></rect>');
    expect(text).toContain('<rect class="dead" x="360" y="48" width="32" height="48"></rect>');
  });

  it('counts the events of the last hours at most once a minute', async () => {
    const inbox = new MemoryInboxStore();
    const count = jest.spyOn(inbox, 'count');
    const operator = new Operator(await startDashboard(adapter, { inbox }));

    await operator.open('overview');
    const counted = count.mock.calls.length;
    await operator.open('overview');

    expect([counted, count.mock.calls.length]).toEqual([14, 14]);
  });

  it('shows the rest of the overview if the events of the last hours cannot be counted', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead' });
    inbox.count = () => Promise.reject(new Error('canceling statement'));
    const operator = new Operator(await startDashboard(adapter, { inbox }));

    const { status, text } = await operator.open('overview');

    expect(status).toBe(200);
    expect(text).toMatch(/<th scope="row">welcome<\/th>.*<td class="number dead">1<\/td>/);
    expect(text).not.toContain('<figure>');
  });

  it('begins at its path, with or without a slash at the end of a prefix', async () => {
    const app = await startDashboard(adapter);

    const { status, headers } = await send(app, { method: 'GET', path: BASE, headers: OPERATOR });

    expect([status, headers.location]).toEqual([303, './webhooks/overview']);
  });

  it('counts done runs only when it is asked to', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'done' });
    const operator = new Operator(await startDashboard(adapter, { inbox }));

    expect((await operator.open('overview')).text).not.toContain('<th scope="col" class="number">done</th>');
    expect((await operator.open('overview?done=1')).text).toMatch(/<td class="number done">1<\/td>/);
  });

  it('lists events by type and state, in pages', async () => {
    const inbox = new MemoryInboxStore();
    for (let number = 100; number < 155; number += 1)
      await store(inbox, `evt_${number}`, { welcome: 'dead' });
    await store(inbox, 'evt_other', { welcome: 'dead' }, { type: 'user.deleted' });
    await store(inbox, 'evt_done', { welcome: 'done' });
    const operator = new Operator(await startDashboard(adapter, { inbox }));
    const eventsOn = (html: string) => [...html.matchAll(/event=(\w+)"/g)].map(([, id]) => id);

    const { text } = await operator.open('entries?endpoint=default&type=user.created&state=dead');
    const next = withoutEntities(/href="([^"]+)" rel="next"/.exec(text)?.[1] ?? '');
    const { text: second } = await operator.open(next);

    expect(eventsOn(text)).toHaveLength(50);
    expect(text).toContain('<option value="dead" selected>');
    expect(eventsOn(second)).toEqual(['evt_150', 'evt_151', 'evt_152', 'evt_153', 'evt_154']);
    expect(second).not.toContain('rel="next"');
    expect(eventsOn((await operator.open('entries?state=done')).text)).toEqual(['evt_done']);
  });

  it('finds events by handler, error, organization, entity and time, and keeps the filter over pages', async () => {
    const inbox = new MemoryInboxStore();
    const about = { organizationId: 'org_1', entity: 'user:usr_1', error: 'C:\\temp is 100% "full" & <b>' };
    for (let id = 0; id < 51; id += 1) await store(inbox, `evt_${id}`, { welcome: 'dead' }, about);
    await store(inbox, 'evt_other', { 'other.handler': 'dead' });
    const operator = new Operator(await startDashboard(adapter, { inbox }));
    const eventsOn = (html: string) => [...html.matchAll(/event=(\w+)"/g)].map(([, id]) => id);
    const fields = {
      state: 'dead',
      handler: 'welcome',
      // As a form sends it.
      error: 'c:\\temp is 100% "full" & <b>',
      organization: 'org_1',
      entity: 'user:usr_1',
      after: '2000-01-01T00:00',
      before: '2999-12-31T23:59:59',
    };

    const { text } = await operator.open(`entries?${new URLSearchParams(fields)}`);
    const { text: second } = await operator.open(
      withoutEntities(/href="([^"]+)" rel="next"/.exec(text)?.[1] ?? ''),
    );

    expect(eventsOn(text)).toHaveLength(50);
    expect(eventsOn(second)).toEqual(['evt_50']);
    for (const page of [text, second]) {
      for (const name of ['handler', 'organization', 'entity', 'after', 'before'] as const) {
        expect(page).toContain(`<input name="${name}" value="${fields[name]}"`);
      }
      expect(page).toContain('<input name="error" value="c:\\temp is 100% &quot;full&quot; &amp; &lt;b&gt;"');
    }
    for (const [name, value] of Object.entries({
      handler: 'other.handler',
      error: 'no mail server',
      organization: 'org_2',
      entity: 'user:usr_2',
      after: '2999-01-01T00:00',
      before: '2000-01-01T00:00',
    })) {
      const other = await operator.open(`entries?${new URLSearchParams({ ...fields, [name]: value })}`);
      expect([name, eventsOn(other.text)]).toEqual([name, []]);
    }
    const entry = await operator.open('entry?endpoint=default&event=evt_1');
    expect(entry.text).toContain('<dd>org_1</dd>');
    expect(entry.text).toContain('<dd>user:usr_1</dd>');
  });

  it('replays a dead run', async () => {
    const inbox = new SqliteInboxStore({ database: openSqlite(':memory:') });
    const app = await startDashboard(adapter, { inbox });
    const event = createScalekitEvent('user.created');
    await new ScalekitWebhookTester(app).deliver(event);
    app.get(WelcomeHandlers).isBroken = false;
    const operator = new Operator(app);
    const { text } = await operator.open(`entry?endpoint=default&event=${event.id}`);
    expect(text).toContain('Error: no mail server');

    const { status, headers } = await operator.press(
      operator.addressOn(text, 'action=replay', 'handler=welcome'),
    );

    expect([status, headers.location]).toEqual([
      303,
      `entry?endpoint=default&event=${event.id}&did=processed`,
    ]);
    expect(app.get(WelcomeHandlers).seen).toEqual([event.id]);
    const after = await operator.open(headers.location ?? '');
    expect(after.text).toContain('role="status">Replayed: every handler that ran is done.');
  });

  it('dismisses a dead run, and leaves the others', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead', other: 'dead' });
    const operator = new Operator(await startDashboard(adapter, { inbox }));
    const { text } = await operator.open('entry?endpoint=default&event=evt_1');

    await operator.press(operator.addressOn(text, 'action=dismiss', 'handler=welcome'));

    expect(await stateOf(inbox, 'evt_1')).toEqual(['done', 'dead']);
    expect((await operator.open('entry?endpoint=default&event=evt_1')).text).toContain('(dismissed)');
  });

  it('pauses and resumes workers', async () => {
    const app = await startDashboard(adapter, { withWorker: true });
    const operator = new Operator(app);
    const isPaused = () => app.get(ScalekitInbox, { strict: false }).isPaused();

    await operator.press(operator.addressOn((await operator.open('overview')).text, 'action=pause'));
    expect(await isPaused()).toBe(true);

    await operator.press(operator.addressOn((await operator.open('overview')).text, 'action=resume'));
    expect(await isPaused()).toBe(false);
  });

  it('shows a payload only to those who may read it', async () => {
    const inbox = new MemoryInboxStore();
    const app = await startDashboard(adapter, {
      inbox,
      dashboard: {
        guards: [AdminGuard],
        imports: [OperatorsModule],
        canReadPayload: ({ headers }: { headers: Record<string, unknown> }) =>
          headers['x-role'] === 'support',
      },
    });
    await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created', { id: 'evt_1' }));
    const path = `${BASE}/payload?endpoint=default&event=evt_1`;

    const refused = await send(app, { method: 'GET', path, headers: OPERATOR });
    const shown = await send(app, { method: 'GET', path, headers: { ...OPERATOR, 'x-role': 'support' } });

    expect(refused.status).toBe(403);
    expect(refused.text).not.toContain('occurred_at');
    expect(shown.status).toBe(200);
    expect(shown.text).toContain('The inbox does not keep this payload.');
  });

  it('says why it cannot show a payload whose key is missing', async () => {
    const database = openSqlite(':memory:');
    const keysOf = (id: string) => ({
      encryption: { keys: [{ id, secret: Buffer.alloc(32).toString('base64') }] },
    });
    const dashboard = { unsafeWithoutGuard: true, canReadPayload: () => true } as const;
    const inbox = new SqliteInboxStore({ database, ...keysOf('lost') });
    await store(inbox, 'evt_1', { welcome: 'dead' });
    const other = new SqliteInboxStore({ database, ...keysOf('other') });
    const app = await startDashboard(adapter, { inbox: other, dashboard });

    const { status, text } = await send(app, {
      method: 'GET',
      path: `${BASE}/payload?endpoint=default&event=evt_1`,
    });

    expect(status).toBe(500);
    expect(text).toContain('is encrypted with the key &quot;lost&quot;, which the store does not have');
    expect((await new Operator(app).open('entry?endpoint=default&event=evt_1')).text).toContain('welcome');
  });

  it('takes its permission from a factory, and gives it the dependencies of its imports', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead' });
    const app = await run(adapter, {
      imports: [
        ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox }),
        ScalekitDashboardModule.forRootAsync({
          path: 'ops',
          guards: [AdminGuard],
          imports: [OperatorsModule],
          inject: [Operators],
          useFactory: (operators: Operators) => ({ canReadPayload: () => operators.isKnown('operator') }),
        }),
      ],
    });

    const { text } = await new Operator(app, '/ops').open('entry?endpoint=default&event=evt_1');

    expect(text).toContain('Show the payload');
    expect((await send(app, { method: 'GET', path: '/ops/overview' })).status).toBe(403);
  });

  it('says that the inbox does not answer, and shows the rest', async () => {
    const inbox = new MemoryInboxStore();
    const app = await startDashboard(adapter, { inbox });
    inbox.stats = () => Promise.reject(new Error('connection <lost>'));
    inbox.get = () => Promise.reject(new Error('connection <lost>'));
    const operator = new Operator(app);

    const overview = await operator.open('overview');
    const entry = await operator.open('entry?endpoint=default&event=evt_1');

    expect([overview.status, entry.status]).toEqual([200, 503]);
    expect(overview.text).toContain('The inbox cannot be read. Error: connection &lt;lost&gt;');
    expect(entry.text).toContain('connection &lt;lost&gt;');
  });

  it.each([
    ['entries?state=burnt', 400],
    ['entries?cursor=elsewhere', 400],
    ['entries?after=yesterday', 400],
    ['entries?before=2026-13-01T00:00', 400],
    ['entries?endpoint=other', 404],
    ['entry?endpoint=default&event=evt_unknown', 404],
    ['entry', 404],
    ['nothing', 404],
  ])('answers %s with %d', async (page, expected) => {
    const operator = new Operator(await startDashboard(adapter));

    expect((await operator.open(page)).status).toBe(expected);
  });
});

describe.each(ADAPTERS)('the protection of the dashboard on %s', (_name, adapter) => {
  const PAGES = [
    'overview',
    'entries',
    'entries?state=burnt',
    'entry?endpoint=default&event=evt_1',
    'entry?endpoint=default&event=evt_unknown',
    'payload?endpoint=default&event=evt_1',
    'style.css',
    'script.js',
    'act',
    'nothing',
    '..%2f..%2fetc%2fpasswd',
  ];

  it('answers a stranger in the same way, whatever the address', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead' });
    const app = await startDashboard(adapter, { inbox });
    const ask = async (method: string, page: string) => {
      const { status, text, headers } = await send(app, { method, path: `${BASE}/${page}` });
      return { status, text, cookie: headers['set-cookie'] };
    };

    const answers = await Promise.all(
      ['GET', 'POST', 'PUT', 'DELETE'].flatMap((method) => PAGES.map((page) => ask(method, page))),
    );

    expect(answers[0]?.status).toBe(403);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect((await send(app, { method: 'GET', path: BASE })).status).toBe(403);
  });

  it.each([
    '..%2f..%2f..%2fetc%2fpasswd',
    '....//....//etc/passwd',
    'style.css%00.html',
    'style.css/../../x',
  ])('has no file at %s', async (page) => {
    const { status, text } = await new Operator(await startDashboard(adapter)).open(page);

    expect(status).toBeGreaterThanOrEqual(400);
    expect(text).not.toContain('root:');
  });

  it.each([
    ['from another site', { 'sec-fetch-site': 'cross-site' }],
    ['from another subdomain', { 'sec-fetch-site': 'same-site' }],
    ['from the address bar', { 'sec-fetch-site': 'none' }],
    ['from another origin', { 'sec-fetch-site': undefined, origin: 'https://evil.example' }],
    ['from a hidden origin', { 'sec-fetch-site': undefined, origin: 'null' }],
    ['that does not say where it comes from', { 'sec-fetch-site': undefined }],
    ['without the cookie', { cookie: undefined }],
    ['with another cookie', { cookie: `scalekit-webhooks-dashboard=${'a'.repeat(43)}` }],
    ['with an empty cookie', { cookie: 'scalekit-webhooks-dashboard=' }],
  ])('refuses an action %s', async (_from, headers) => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead' });
    const operator = new Operator(await startDashboard(adapter, { inbox }));
    const { text } = await operator.open('entry?endpoint=default&event=evt_1');

    const answer = await operator.press(operator.addressOn(text, 'action=dismiss'), headers);

    expect(answer.status).toBe(403);
    expect(await stateOf(inbox, 'evt_1')).toEqual(['dead']);
  });

  it('refuses a token of another action, another event, or none', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead' });
    await store(inbox, 'evt_2', { welcome: 'dead' });
    const operator = new Operator(await startDashboard(adapter, { inbox }));
    const { text } = await operator.open('entry?endpoint=default&event=evt_1');
    const address = operator.addressOn(text, 'action=dismiss');

    const statuses = await Promise.all(
      [
        address.replace('evt_1', 'evt_2'),
        operator.addressOn(text, 'action=replay').replace('replay', 'dismiss'),
        address.replace(/token=.*/, 'token='),
        address.replace(/&token=.*/, ''),
        `${address}&handler=welcome`,
      ].map(async (wrong) => (await operator.press(wrong)).status),
    );

    expect(statuses).toEqual([403, 403, 403, 403, 403]);
    expect(await stateOf(inbox, 'evt_1')).toEqual(['dead']);
    expect(await stateOf(inbox, 'evt_2')).toEqual(['dead']);
  });

  it('takes an action from a browser that only names its origin', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead' });
    const app = await startDashboard(adapter, { inbox });
    const operator = new Operator(app);
    const { text } = await operator.open('entry?endpoint=default&event=evt_1');
    const headers = { 'sec-fetch-site': undefined, origin: 'https://app.example', host: 'app.example' };

    expect((await operator.press(operator.addressOn(text, 'action=dismiss'), headers)).status).toBe(303);
  });

  it('takes an action in another process than the one that showed the page', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead' });
    const [one, other] = [await startDashboard(adapter, { inbox }), await startDashboard(adapter, { inbox })];
    const operator = new Operator(one);
    const { text } = await operator.open('entry?endpoint=default&event=evt_1');

    const answer = await operator.press(operator.addressOn(text, 'action=dismiss'), {}, other);

    expect(answer.status).toBe(303);
    expect(await stateOf(inbox, 'evt_1')).toEqual(['done']);
  });

  it('never acts on a GET', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead' });
    const operator = new Operator(await startDashboard(adapter, { inbox }));
    const { text } = await operator.open('entry?endpoint=default&event=evt_1');

    expect((await operator.open(operator.addressOn(text, 'action=dismiss'))).status).toBe(404);
    expect(await stateOf(inbox, 'evt_1')).toEqual(['dead']);
  });

  const HOSTILE = [
    `<script>alert(1)</script>`,
    `"><img src=x onerror=alert(1)>`,
    `' onmouseover='alert(1)`,
    `</title></pre></textarea><svg onload=alert(1)>`,
    `javascript:alert(1)`,
    `&lt;script&gt; &#60;b&#62;`,
    `\u202egnp.exe \ud800 \u0000 \u001b[31m`,
    `../../../etc/passwd?a=b&c=d#e`,
    'Ünï\\u0041 $& `code`',
  ];

  it.each(HOSTILE)('shows %j as a text, in every field', async (hostile) => {
    const inbox = new MemoryInboxStore();
    jest
      .spyOn(inbox, 'payload')
      .mockImplementation(async () => Buffer.from(JSON.stringify({ hostile })) as never);
    await store(
      inbox,
      hostile,
      { [hostile]: 'dead' },
      { type: hostile, organizationId: hostile, entity: hostile, error: hostile },
    );
    const dashboard = { guards: [AdminGuard], imports: [OperatorsModule], canReadPayload: () => true };
    const operator = new Operator(await startDashboard(adapter, { inbox, dashboard }));

    const overview = await operator.open('overview');
    const query = ['type', 'handler', 'error', 'organization', 'entity'].map(
      (name) => `${name}=${encodeURIComponent(hostile.toWellFormed())}`,
    );
    const list = await operator.open(`entries?${query.join('&')}`);
    const all = await operator.open('entries');
    const [, link = ''] = /href="(entry\?[^"]+)"/.exec(all.text) ?? [];
    const entry = await operator.open(withoutEntities(link));
    const [, payloadLink = ''] = /href="(payload\?[^"]+)"/.exec(entry.text) ?? [];
    const payload = await operator.open(withoutEntities(payloadLink));

    for (const { status, text } of [overview, list, all, entry, payload]) {
      expect(status).toBe(200);
      const withoutChart = text
        .replace('<svg viewBox="0 0 480 96" aria-hidden="true">', '')
        .replace('</svg>', '');
      expect([...tagsOf(withoutChart)].filter((tag) => /^(img|svg|b)$/.test(tag))).toEqual([]);
      expect(text.match(/<script/g)).toHaveLength(1);
      expect(text.replaceAll(/="[^"]*"/g, '')).not.toMatch(/<[^>]*\son\w+/);
      expect(text).not.toMatch(/href="(?!style\.css|#main|overview|entries|entry|payload)/);
      expect(text).not.toMatch(/(?!\n)\p{C}/u);
    }
    const address = operator.addressOn(entry.text, 'action=dismiss', 'handler=');
    expect((await operator.press(address)).status).toBe(303);
    expect(await stateOf(inbox, hostile)).toEqual(['done']);
  });

  it('says when an entry was erased, and why it cannot be replayed', async () => {
    const inbox = new SqliteInboxStore({ database: openSqlite(':memory:') });
    await store(inbox, 'evt_1', { welcome: 'dead' }, { organizationId: 'org_1', error: 'jane@example.com' });
    const dashboard = { guards: [AdminGuard], imports: [OperatorsModule], canReadPayload: () => true };
    const operator = new Operator(await startDashboard(adapter, { inbox, dashboard }));
    await inbox.erase({ organizationId: 'org_1' });

    const { text } = await operator.open('entry?endpoint=default&event=evt_1');

    expect(text).toMatch(/<dt>Payload<\/dt><dd>Erased at <time/);
    expect(text).not.toContain('href="payload');
    expect(text).not.toContain('jane@example.com');
    const refused = await operator.press(operator.addressOn(text, 'action=replay'));
    expect(refused.status).toBe(404);
    expect(refused.text).toContain('was erased at');
  });

  it('needs guards, or a promise that something else protects it', async () => {
    const forRoot = (options: object) => () => ScalekitDashboardModule.forRoot(options);

    expect(forRoot({})).toThrow(/^guards must be an array with at least one guard.*unsafeWithoutGuard: true/);
    expect(forRoot({ guards: [] })).toThrow(/^guards must be/);
    expect(forRoot({ unsafeWithoutGuard: false })).toThrow(/^guards must be/);
    expect(() => ScalekitDashboardModule.forRootAsync({ useFactory: () => ({}) })).toThrow(/^guards must be/);
    const app = await startDashboard(adapter, { dashboard: { unsafeWithoutGuard: true } });
    expect((await send(app, { method: 'GET', path: `${BASE}/overview` })).status).toBe(200);
  });
});

@Catch()
class TeapotFilter {
  catch(_error: unknown, host: ArgumentsHost) {
    const response = host.switchToHttp().getResponse();
    (response.raw ?? response).writeHead(418).end('teapot');
  }
}

describe.each(ADAPTERS)('the dashboard in an application with its own enhancers on %s', (_name, adapter) => {
  it('is not affected by a prefix, versions, pipes, interceptors and filters, nor by missing body parsers', async () => {
    const inbox = new MemoryInboxStore();
    await store(inbox, 'evt_1', { welcome: 'dead' });
    const wrap = {
      intercept: (_: unknown, next: CallHandler) => next.handle().pipe(map((data) => ({ data }))),
    };
    const app = await startDashboard(adapter, {
      inbox,
      options: { bodyParser: false },
      providers: [
        { provide: APP_INTERCEPTOR, useValue: wrap },
        { provide: APP_FILTER, useClass: TeapotFilter },
      ],
      configure: (host) => {
        host.setGlobalPrefix('api');
        host.enableVersioning({ type: VersioningType.URI, defaultVersion: '2' });
        host.useGlobalPipes(new ValidationPipe({ forbidUnknownValues: true, whitelist: true }));
      },
    });
    const operator = new Operator(app, '/api/admin/webhooks');
    const { text } = await operator.open('entry?endpoint=default&event=evt_1');

    expect((await operator.press(operator.addressOn(text, 'action=dismiss'))).status).toBe(303);
    expect(await stateOf(inbox, 'evt_1')).toEqual(['done']);
    expect((await operator.open('overview')).text).toMatch(/^<!doctype html>/);
    expect((await operator.open('entry?endpoint=default&event=no')).status).toBe(404);
    // What the guards refuse is for the application to answer.
    expect((await send(app, { method: 'GET', path: '/api/admin/webhooks/overview' })).status).toBe(418);
  });
});
