import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import {
  type InboxEntry,
  type InboxPage,
  type InboxRun,
  type InboxRunCount,
  RUN_STATES,
  type RunState,
} from '../inbox/inbox-queries.js';
import {
  type ActionKey,
  addressTo,
  Html,
  html,
  type Params,
  type Part,
  select,
  suggestions,
  table,
  time,
} from './dashboard.http.js';
import type { ActivityHour, EndpointSummary } from './dashboard.setup.js';

/** A page, without the document around it. */
export interface Page {
  readonly title: string;
  readonly body: Html;
  readonly status?: number;
}

const NAVIGATION = Object.entries({ overview: 'Overview', entries: 'Events' });

/** The whole document. */
export function documentOf({ title, body }: Page, { nonce, name }: { nonce: string; name: string }): string {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – Scalekit webhooks</title>
<link rel="stylesheet" href="style.css" nonce="${nonce}">
<script src="script.js" nonce="${nonce}" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header>
<p>Scalekit webhooks</p>
<nav aria-label="Pages"><ul>${NAVIGATION.map(
    ([page, label]) =>
      html`<li><a href="${page}"${page === name && html` aria-current="page"`}>${label}</a></li>`,
  )}</ul></nav>
</header>
<main id="main" tabindex="-1">
<h1>${title}</h1>
${body}
</main>
<footer><p>Times are UTC. <span data-status></span></p></footer>
</body>
</html>
`;
  return Html.textOf(document);
}

const NOTICES: Readonly<Record<string, string>> = {
  processed: 'Replayed: every handler that ran is done.',
  accepted: 'The runs are stored for a worker.',
  duplicate: 'Nothing ran: every run is done.',
  ignored: 'Nothing ran: no handler is registered for this event.',
  dead: 'Replayed: at least one run is dead.',
  unprocessable: 'Replayed: at least one run is dead.',
  failed: 'Replayed: at least one handler failed.',
  unavailable: 'The replay did not finish: a run is in progress, or the inbox or the queue is unreachable.',
  dismissed: 'Dismissed. The runs count as done and keep their error.',
  undismissed: 'Nothing was dismissed: no run is dead or failed.',
  paused: 'Paused. Workers take no runs of this endpoint.',
  resumed: 'Resumed. Workers take runs of this endpoint again.',
};

/** What the last action did. */
export function notice(code: string | undefined): Html | undefined {
  const text = code && Object.hasOwn(NOTICES, code) ? NOTICES[code] : undefined;
  return text === undefined ? undefined : html`<p class="notice" role="status">${text}</p>`;
}

/** A page that says one thing. */
export function message(status: number, title: string, text: string): Page {
  return { title, status, body: html`<p>${text}</p>\n<p><a href="overview">Back to the overview</a></p>` };
}

export function overview(
  endpoints: readonly EndpointSummary[],
  states: readonly RunState[],
  key: ActionKey,
): Html {
  const isComplete = states.includes('done');
  return html`<div data-refresh>
${endpoints.length === 0 && html`<p>This application has no endpoint. Import ScalekitWebhooksModule.</p>`}
${endpoints.map((endpoint) => endpointSection(endpoint, states, key))}
</div>
<p><a href="${addressTo('overview', isComplete ? {} : { done: '1' })}">${
    isComplete ? 'Do not count done runs' : 'Also count done runs (slow in a large inbox)'
  }</a></p>`;
}

function endpointSection(endpoint: EndpointSummary, states: readonly RunState[], key: ActionKey): Html {
  const { name, problem, counts = [], activity = [], isPaused, recovery } = endpoint;
  const handlerIds = [...new Set([...endpoint.handlerIds, ...counts.map(({ handlerId }) => handlerId)])];
  const countOf = (state: RunState) => sum(counts.filter((count) => count.state === state));
  return html`<section aria-labelledby="endpoint-${name}">
<h2 id="endpoint-${name}">Endpoint ${name}</h2>
${
  problem === undefined
    ? html`<dl>
<dt>Backlog</dt><dd>${countOf('queued') + countOf('failed')} waiting, ${countOf('running')} running</dd>
<dt>Oldest waiting</dt><dd>${oldest(counts)}</dd>
<dt>Last recovery</dt><dd>${recovery ? [recovery.text, ', ', time(recovery.at)] : 'none since this process started'}</dd>
${isPaused !== undefined && html`<dt>Workers</dt><dd>${isPaused ? 'paused' : 'not paused'} ${actionButton(key, { action: isPaused ? 'resume' : 'pause', endpoint: name }, isPaused ? 'Resume' : 'Pause', `the workers of ${name}`)}</dd>`}
</dl>
${activityChart(name, activity)}
${table(
  `Runs of ${name} by handler and state`,
  html`<th scope="col">Handler</th>${states.map((state) => html`<th scope="col" class="number">${state}</th>`)}<th scope="col">Oldest waiting</th>`,
  handlerIds.map((id) => handlerRow(id, counts, states)),
  'This endpoint has no handlers and no runs.',
)}
<p>${states.map((state) => html`<a href="${addressTo('entries', { endpoint: name, state })}">Events with ${state} runs</a> `)}</p>`
    : html`<p class="error dead">${problem}</p>`
}
</section>`;
}

const HEIGHT = 96;

/** A bar for each hour: the events that were received, and at its foot those with runs that are failed or dead. */
function activityChart(name: string, hours: readonly ActivityHour[]): Html | undefined {
  if (hours.length === 0) return undefined;
  const highest = Math.max(1, ...hours.map(({ received }) => received));
  const bar = (hour: number, amount: number, kind: string) => {
    const height = Math.min(HEIGHT, Math.ceil((amount / highest) * HEIGHT));
    return html`<rect class="${kind}" x="${hour * 40}" y="${HEIGHT - height}" width="32" height="${height}"></rect>`;
  };
  const bars = hours.map(({ received, failed, dead }, hour) => [
    bar(hour, received, 'received'),
    bar(hour, failed + dead, 'failed'),
    bar(hour, dead, 'dead'),
  ]);
  const rows = hours.map(
    ({ startsAt, ...amounts }) =>
      html`<tr><th scope="row">${time(startsAt)}</th>${Object.values(amounts).map((amount) => html`<td class="number">${amount}</td>`)}</tr>`,
  );
  const caption = `Events that ${name} received in the last ${hours.length} hours`;
  const head = html`<th scope="col">From</th><th scope="col" class="number">Received</th><th scope="col" class="number">Failed</th><th scope="col" class="number">Dead</th>`;
  return html`<figure>
<figcaption>${caption}, at most ${highest} in an hour. At the foot of a bar: those with runs that are failed or dead.</figcaption>
<svg viewBox="0 0 ${hours.length * 40} ${HEIGHT}" aria-hidden="true">${bars}</svg>
<details><summary>Numbers of the last hours</summary>${table(caption, head, rows, '')}</details>
</figure>`;
}

function handlerRow(handlerId: string, counts: readonly InboxRunCount[], states: readonly RunState[]): Html {
  const own = counts.filter((count) => count.handlerId === handlerId);
  return html`<tr><th scope="row">${handlerId}</th>${states.map((state) => {
    const count = sum(own.filter((one) => one.state === state));
    return html`<td class="number ${count > 0 && state}">${count}</td>`;
  })}<td>${oldest(own)}</td></tr>`;
}

function sum(counts: readonly InboxRunCount[]): number {
  return counts.reduce((total, { count }) => total + count, 0);
}

function oldest(counts: readonly InboxRunCount[]): Part {
  const waiting = counts.filter(({ state }) => state === 'queued' || state === 'failed');
  if (waiting.length === 0) return 'none';
  return time(new Date(Math.min(...waiting.map(({ oldestReceivedAt }) => oldestReceivedAt.getTime()))));
}

/** What a page of the list shows: the endpoint, the conditions as they were typed, and where it continues. */
export type ListQuery = Params & { readonly endpoint: string };

export function list(
  { entries, nextCursor }: InboxPage,
  query: ListQuery,
  endpoints: readonly string[],
  handlerIds: readonly string[],
): Html {
  const input = (label: string, name: string, extra: Part = false) =>
    html`<label>${label}<input name="${name}" value="${query[name]}" autocomplete="off" spellcheck="false"${extra}></label>`;
  const isTime = html` type="datetime-local" step="1"`;
  return html`<form class="filter" method="get" action="entries">
${select('Endpoint', 'endpoint', endpoints, query.endpoint)}
${input('Type', 'type', html` list="types"`)}
${suggestions('types', SCALEKIT_EVENT_TYPES)}
${select('State of a run', 'state', ['', ...RUN_STATES], query.state)}
${input('Handler of the run', 'handler', html` list="handlers"`)}
${suggestions('handlers', handlerIds)}
${input('Text of its error', 'error')}
${input('Organization', 'organization', html` placeholder="org_1"`)}
${input('Entity', 'entity', html` placeholder="user:usr_1"`)}
${input('Received from (UTC)', 'after', isTime)}
${input('Received before (UTC)', 'before', isTime)}
<button>Filter</button>
<a href="${addressTo('entries', { endpoint: query.endpoint })}">Clear</a>
</form>
<div data-refresh>${table(
    `Events of ${query.endpoint}, oldest first`,
    html`<th scope="col">Event</th><th scope="col">Type</th><th scope="col">Received</th><th scope="col">Runs</th>`,
    entries.map((entry) => entryRow(entry)),
    'No event matches.',
  )}</div>
<p>${query.cursor !== undefined && html`<a href="${addressTo('entries', { ...query, cursor: undefined })}">First page</a> `}${
    nextCursor !== undefined &&
    html`<a href="${addressTo('entries', { ...query, cursor: nextCursor })}" rel="next">Next page</a>`
  }</p>`;
}

function entryRow({ endpoint, eventId, type, receivedAt, runs }: InboxEntry): Html {
  const states = RUN_STATES.map(
    (state) => [state, runs.filter((run) => run.state === state).length] as const,
  );
  return html`<tr><th scope="row"><a href="${addressTo('entry', { endpoint, event: eventId })}">${eventId}</a></th>
<td>${type}</td><td>${time(receivedAt)}</td>
<td>${states.map(([state, count]) => count > 0 && html`<span class="${state}">${count} ${state}</span> `)}</td></tr>`;
}

export function entry(
  found: InboxEntry,
  key: ActionKey,
  canReadPayload: boolean,
  done: string | undefined,
): Html {
  const { endpoint, eventId, type, occurredAt, organizationId, entity, receivedAt, erasedAt, runs } = found;
  const target = { endpoint, event: eventId };
  const isOpen = runs.some(({ state }) => state !== 'done');
  const canDismiss = runs.some(isDismissible);
  return html`${notice(done)}<div data-refresh><dl>
<dt>Endpoint</dt><dd>${endpoint}</dd>
<dt>Type</dt><dd>${type}</dd>
<dt>Organization</dt><dd>${organizationId ?? 'none'}</dd>
<dt>Entity</dt><dd>${entity ?? 'none'}</dd>
<dt>Happened</dt><dd>${occurredAt}</dd>
<dt>Received</dt><dd>${time(receivedAt)}</dd>
<dt>Payload</dt><dd>${
    erasedAt
      ? html`Erased at ${time(erasedAt)}`
      : canReadPayload
        ? html`<a href="${addressTo('payload', target)}">Show the payload</a>`
        : 'You may not read payloads (see the option canReadPayload).'
  }</dd>
</dl>
${table(
  'Runs of this event',
  html`<th scope="col">Handler</th><th scope="col">State</th><th scope="col" class="number">Attempts</th><th scope="col">Last change</th><th scope="col">Last error</th><th scope="col">Actions</th>`,
  runs.map((run) => runRow(run, target, key)),
  'No handler has a run of this event.',
)}
<div class="actions">${isOpen && actionButton(key, { action: 'replay', ...target }, 'Replay all', 'runs that are not done')} ${
    canDismiss && actionButton(key, { action: 'dismiss', ...target }, 'Dismiss all', 'dead and failed runs')
  }</div></div>`;
}

function runRow(run: InboxRun, target: Params, key: ActionKey): Html {
  const { handlerId, state, attempts, updatedAt, error, note } = run;
  const own = { ...target, handler: handlerId };
  const isDismissed = state === 'done' && error !== undefined;
  return html`<tr><th scope="row">${handlerId}</th>
<td><span class="${state}">${state}</span>${isDismissed && ' (dismissed)'}${note && ` (${note})`}</td>
<td class="number">${attempts}</td><td>${time(updatedAt)}</td>
<td class="error">${error && (error.message ? `${error.name}: ${error.message}` : error.name)}</td>
<td>${
    isDismissible(run) && [
      actionButton(key, { action: 'replay', ...own }, 'Replay', handlerId),
      ' ',
      actionButton(key, { action: 'dismiss', ...own }, 'Dismiss', handlerId),
    ]
  }</td></tr>`;
}

function isDismissible({ state }: InboxRun): boolean {
  return state === 'dead' || state === 'failed';
}

export function payload(bytes: Uint8Array | undefined, target: Params): Html {
  return html`<p><a href="${addressTo('entry', target)}">Back to the event</a></p>
${bytes ? html`<pre tabindex="0" aria-label="Payload">${readable(bytes)}</pre>` : html`<p>The inbox does not keep this payload.</p>`}`;
}

function readable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString();
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

// Without named fields the body is empty, and every platform takes an empty text.
function actionButton(key: ActionKey, params: Params, label: string, what: string): Html {
  return html`<form method="post" enctype="text/plain" action="${key.addressTo('act', params)}"><button aria-label="${label} ${what}">${label}</button></form>`;
}
