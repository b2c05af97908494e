import { randomBytes } from 'node:crypto';
import { All, Controller, Get, Inject, Post, Req, Res, type Type, VERSION_NEUTRAL } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { LogWriter } from '../dispatch/delivery.log.js';
import {
  InboxReplayError,
  isPayloadUnreadable,
  ScalekitWebhooksConfigurationError,
} from '../errors/errors.js';
import { OPEN_STATES, RUN_STATES, type RunState } from '../inbox/inbox-queries.js';
import type { ScalekitInbox, ScalekitInboxFilter } from '../replay/scalekit-inbox.js';
import { inTime } from '../replay/stored-events.js';
import {
  ActionKey,
  addressOf,
  addressTo,
  type DashboardRequest,
  headersFor,
  html,
  paramOf,
  SCRIPT,
  STYLES,
} from './dashboard.http.js';
import { documentOf, entry, list, message, notice, overview, type Page, payload } from './dashboard.pages.js';
import {
  DASHBOARD_OPTIONS,
  type DashboardEndpoint,
  DashboardEndpoints,
  describe,
  INBOX_TIMEOUT_MS,
  type ScalekitDashboardOptions,
} from './dashboard.setup.js';

/** The controller of one dashboard. Each needs its own class, because Nest stores a route's path on the class. */
export function createDashboardController(path: string): Type<unknown> {
  @Controller({ path, version: VERSION_NEUTRAL })
  class ScalekitDashboardController {
    readonly #log = new LogWriter('ScalekitWebhooks:dashboard');
    readonly #endpoints: DashboardEndpoints;
    readonly #options: ScalekitDashboardOptions;
    readonly #host: HttpAdapterHost;

    constructor(
      @Inject(DashboardEndpoints) endpoints: DashboardEndpoints,
      @Inject(DASHBOARD_OPTIONS) options: ScalekitDashboardOptions,
      @Inject(HttpAdapterHost) host: HttpAdapterHost,
    ) {
      this.#endpoints = endpoints;
      this.#options = options;
      this.#host = host;
    }

    @Get()
    start(@Req() request: DashboardRequest, @Res() response: object): void {
      const { path: requested } = addressOf(request);
      this.#redirect(response, `./${requested.split('/').at(-1)}/overview`.replace('//', '/'));
    }

    @Get('overview')
    overview(@Req() request: DashboardRequest, @Res() response: object): Promise<void> {
      return this.#show('overview', request, response, async (query, key) => {
        const states = query.has('done') ? RUN_STATES : OPEN_STATES;
        const summaries = this.#endpoints.all.map((endpoint) => this.#endpoints.summaryOf(endpoint, states));
        const body = overview(await Promise.all(summaries), states, key);
        return { title: 'Overview', body: html`${notice(query.get('did') ?? undefined)}${body}` };
      });
    }

    @Get('entries')
    entries(@Req() request: DashboardRequest, @Res() response: object): Promise<void> {
      return this.#show('entries', request, response, async (query) => {
        const endpoints = this.#endpoints.all;
        const name = paramOf(query, 'endpoint') ?? endpoints[0]?.options.name;
        const endpoint = this.#endpoints.find(name);
        if (name === undefined || !endpoint) return NOT_FOUND;
        const shown = { endpoint: name, ...paramsOf(query, LIST_PARAMS) };
        const { cursor } = shown;
        const found = endpoint.inbox.list(filterOf(shown), { ...(cursor && { cursor }) });
        const names = endpoints.map(({ options }) => options.name);
        const body = list(await inTime(found, INBOX_TIMEOUT_MS), shown, names, endpoint.handlerIds);
        return { title: 'Events', body };
      });
    }

    @Get('entry')
    entry(@Req() request: DashboardRequest, @Res() response: object): Promise<void> {
      return this.#show('entry', request, response, async (query, key) => {
        const { inbox, eventId } = this.#targetOf(query);
        const found = eventId && (await inTime(inbox.get(eventId), INBOX_TIMEOUT_MS));
        if (!found) return NOT_FOUND;
        const canReadPayload = await this.#canReadPayload(request);
        const body = entry(found, key, canReadPayload, query.get('did') ?? undefined);
        return { title: `Event ${found.eventId}`, body };
      });
    }

    @Get('payload')
    payload(@Req() request: DashboardRequest, @Res() response: object): Promise<void> {
      return this.#show('payload', request, response, async (query) => {
        if (!(await this.#canReadPayload(request))) return PAYLOAD_FORBIDDEN;
        const { options, eventId } = this.#targetOf(query);
        if (!eventId) return NOT_FOUND;
        const key = { endpoint: options.name, eventId };
        const bytes = await inTime(options.inbox.payload(key), INBOX_TIMEOUT_MS);
        const target = { endpoint: options.name, event: eventId };
        return { title: `Payload of ${eventId}`, body: payload(bytes, target) };
      });
    }

    @Post('act')
    act(@Req() request: DashboardRequest, @Res() response: object): Promise<void> {
      return this.#show('act', request, response, async (query, key) => {
        if (!key.allows(request)) return ACTION_REFUSED;
        const { options, inbox, eventId } = this.#targetOf(query);
        const handler = paramOf(query, 'handler');
        const handlers = handler === undefined ? undefined : [handler];
        const action = query.get('action');
        const did = await this.#act(action, inbox, eventId ?? '', handlers);
        const what = [action, eventId, handler].filter(Boolean).join(' ');
        this.#log.write('log', `Dashboard action: ${what} (${did}), endpoint ${options.name}`);
        return eventId
          ? addressTo('entry', { endpoint: options.name, event: eventId, did })
          : addressTo('overview', { did });
      });
    }

    @Get('style.css')
    styles(@Res() response: object): void {
      this.#send(response, 200, headersFor('text/css'), STYLES);
    }

    @Get('script.js')
    script(@Res() response: object): void {
      this.#send(response, 200, headersFor('text/javascript'), SCRIPT);
    }

    // The guards also run for pages and methods that do not exist, so that a stranger cannot tell which ones do.
    @All(':page')
    unknown(@Res() response: object): void {
      this.#send(response, 404, headersFor('text/plain'), 'Not found');
    }

    /** @throws InboxReplayError when the action is not possible */
    async #act(
      action: string | null,
      inbox: ScalekitInbox,
      eventId: string,
      handlers?: readonly string[],
    ): Promise<string> {
      if (action === 'pause') await inbox.pause();
      else if (action === 'resume') await inbox.resume();
      else if (action === 'dismiss') {
        const dismissed = await inbox.dismiss(eventId, handlers);
        return dismissed.length > 0 ? 'dismissed' : 'undismissed';
      } else {
        const { outcome } = await inbox.replay(eventId, { ...(handlers && { handlers }) });
        return outcome;
      }
      return `${action}d`;
    }

    /** @throws InboxReplayError when there is no such endpoint */
    #targetOf(query: URLSearchParams): DashboardEndpoint & { eventId: string | undefined } {
      const endpoint = this.#endpoints.find(paramOf(query, 'endpoint'));
      if (!endpoint) throw new InboxReplayError('event_unknown', 'There is no such endpoint.');
      return { ...endpoint, eventId: paramOf(query, 'event') };
    }

    async #canReadPayload(request: DashboardRequest): Promise<boolean> {
      try {
        return (await this.#options.canReadPayload?.(request)) === true;
      } catch (error) {
        this.#log.write('error', `canReadPayload failed, so the payload stays hidden: ${describe(error)}`);
        return false;
      }
    }

    /** Sends a page, or a redirect to the address that `make` returns. An error becomes a page, and never reaches a filter. */
    async #show(
      name: string,
      request: DashboardRequest,
      response: object,
      make: (query: URLSearchParams, key: ActionKey) => Promise<Page | string>,
    ): Promise<void> {
      const key = ActionKey.of(request);
      const made = await make(addressOf(request).query, key).catch((error: unknown) => this.#failure(error));
      if (typeof made === 'string') return this.#redirect(response, made);
      if (key.setCookie) this.#host.httpAdapter.appendHeader?.(response, 'Set-Cookie', key.setCookie);
      const nonce = randomBytes(16).toString('base64url');
      this.#send(
        response,
        made.status ?? 200,
        headersFor('text/html', nonce),
        documentOf(made, { nonce, name }),
      );
    }

    #failure(error: unknown): Page {
      if (error instanceof InboxReplayError) return message(404, 'Not possible', error.message);
      if (isPayloadUnreadable(error)) return message(500, 'The payload cannot be read', error.message);
      if (error instanceof ScalekitWebhooksConfigurationError)
        return message(400, 'Not possible', error.message);
      this.#log.write('error', `The dashboard could not use the inbox: ${describe(error)}`);
      return message(503, 'The inbox did not answer', `${describe(error)}. Try again.`);
    }

    #redirect(response: object, address: string): void {
      this.#send(response, 303, { ...headersFor('text/plain'), Location: address }, '');
    }

    // The whole answer is sent here, so that no interceptor of the application wraps it.
    #send(response: object, status: number, headers: Record<string, string>, body: string): void {
      const { httpAdapter } = this.#host;
      for (const [header, value] of Object.entries(headers)) httpAdapter.setHeader(response, header, value);
      httpAdapter.reply(response, body, status);
    }
  }
  return ScalekitDashboardController;
}

const LIST_PARAMS = [
  'type',
  'state',
  'handler',
  'error',
  'organization',
  'entity',
  'after',
  'before',
  'cursor',
] as const;

function paramsOf<Name extends string>(query: URLSearchParams, names: readonly Name[]) {
  const params: Partial<Record<Name, string>> = {};
  for (const name of names) {
    const value = paramOf(query, name);
    if (value !== undefined) params[name] = value;
  }
  return params;
}

/** Anybody can write anything into an address, so the inbox checks it. */
function filterOf(shown: Partial<Record<(typeof LIST_PARAMS)[number], string>>): ScalekitInboxFilter {
  const { type, state, handler, error, organization, entity, after, before } = shown;
  return {
    type,
    state: state as RunState | undefined,
    handler,
    error,
    organizationId: organization,
    entity,
    receivedAfter: utc(after),
    receivedBefore: utc(before),
  };
}

/** The time of a field, which has no time zone. */
function utc(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text.endsWith('Z') ? text : `${text}Z`);
}

const NOT_FOUND = message(
  404,
  'Not found',
  'There is no such event in the inbox, or no such endpoint in the application.',
);
const PAYLOAD_FORBIDDEN = message(
  403,
  'Not allowed',
  'You may not read payloads (see the option canReadPayload).',
);
const ACTION_REFUSED = message(
  403,
  'Nothing was done',
  'The form is out of date, or was not sent by this dashboard. Go back, reload the page, and try again.',
);
